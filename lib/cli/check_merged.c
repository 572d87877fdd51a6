/* check_merged.c - opens both models on the processor, in 32 bits: what is
 * compared is the merging, not a machine. */
#include "cli/check_merged.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "eval/logits_gap.h"
#include "eval/text_codec.h"
#include "weights/base.h"

#define TOKENS 32        /* of no prompt */
#define MOST_TOKENS 128  /* of one */

/* The model's own parts that merging does without. */
static int
open_model(struct model *m, struct err *e)
{
    const struct device_opts device = { .name = "cpu", .compute = "f32" };
    int rc = device_open(&m->backend, &device, e);

    if (rc == 0)
        rc = weights_all_ready(&m->weights, e);
    if (rc == 0)
        rc = base_bind(&m->base, &m->weights, &m->desc, e);
    return rc;
}

/* The text, no longer than it is compared. */
static int
read_text(struct ids *ids, const struct model *m, const char *prompt,
          struct err *e)
{
    const struct text_codec_opts none = { 0 };
    uint32_t most = m->desc.max_pos;
    struct text_codec c;
    int rc;

    if (prompt == NULL) {
        for (uint32_t i = 0; i < TOKENS && i < most; i++)
            ids_add(ids, (uint32_t)((1 + 7919ull * i) % m->desc.vocab));
        return 0;
    }
    rc = text_codec_open(&c, &m->weights, m->desc.vocab, &none, e);
    if (rc < 0)
        return rc;
    rc = text_codec_text(&c, prompt, strlen(prompt), ids, e);
    text_codec_release(&c);
    if (rc == 0 && ids->n == 0)
        return err_set(e, ERR_USAGE, "--prompt has no tokens");
    most = most < MOST_TOKENS ? most : MOST_TOKENS;
    ids->n = ids->n < most ? ids->n : most;
    return rc;
}

static void
tell(const struct logits_gap *g, const struct model *m, size_t n)
{
    char moved[64] = "none";

    if (g->moved > 0)
        snprintf(moved, sizeof(moved), "some by %.2g (%.2g%%)", g->moved,
                 100 * g->gap / g->moved);
    log_info("logits of %zu tokens: at most %.2g from those of base and "
             "adapter, of which the adapter moves %s; 32-bit sums alone: "
             "about %.1g", n, g->gap, moved,
             logits_gap_rounding(&m->desc, g->top));
}

static int
compare(struct model *m, const char *merged, const struct ids *ids,
        struct err *e)
{
    const struct prog_opts o = logits_gap_opts((uint32_t)ids->n);
    struct logits_gap g;
    struct model other;
    int rc = model_fit(m, &o, "the comparison", false, e);

    if (rc == ERR_LIMIT) {
        log_warn("not compared: %s", e->text);
        return 0;
    }
    if (rc == 0)
        rc = model_open_beside(&other, merged, m, e);
    if (rc < 0)
        return rc;
    rc = logits_gap(&g, m, &other, ids->id, (uint32_t)ids->n, e);
    if (rc == 0)
        tell(&g, m, ids->n);
    model_release(&other);
    return rc;
}

int
check_merged(struct model *m, const char *merged, const char *prompt,
             struct err *e)
{
    struct ids ids;
    int rc;

    ids_init(&ids);
    rc = read_text(&ids, m, prompt, e);
    if (rc == 0)
        rc = open_model(m, e);
    if (rc == 0)
        rc = compare(m, merged, &ids, e);
    ids_release(&ids);
    return rc;
}
