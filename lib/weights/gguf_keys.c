/* gguf_keys.c - a config.json into the keys of a GGUF file: the rows that
 * gguf_config.c reads, written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "weights/gguf_config.h"
#include "weights/gguf_rope.h"
#include "weights/gguf_rows.h"

struct writer {
    struct gguf_out *g;
    const struct gguf_arch *arch;
    const struct family *family;
    const struct model_desc *d;
    struct config c;
};

/* Below the architecture's name. */
static void
put_number(struct writer *w, const char *key, double v, bool real)
{
    struct buf name;

    buf_init(&name);
    buf_addf(&name, "%s.%s", w->arch->name, key);
    if (real)
        gguf_out_f32(w->g, name.data, (float)v);
    else
        gguf_out_u32(w->g, name.data, (uint32_t)v);
    buf_release(&name);
}

static void
put_text(struct writer *w, const char *key, const char *text)
{
    struct buf name;

    buf_init(&name);
    buf_addf(&name, "%s.%s", w->arch->name, key);
    gguf_out_string(w->g, name.data, text);
    buf_release(&name);
}

/* Whether a row says anything of this model. */
static bool
is_said(const struct writer *w, const struct gguf_row *r)
{
    const struct config *c = &w->c;

    if (r->field == FIELD(window))
        return c->use_window != 0 && c->window != 0 && c->window < c->max_pos;
    if (r->field == FIELD(head_dim))
        return c->head_dim * c->heads != c->dim;
    return r->required || gguf_family_key(w->family, r->field) != NULL;
}

static void
put_row(struct writer *w, const struct gguf_row *r)
{
    if (is_said(w, r))
        put_number(w, r->key,
                   key_value(&w->c, &(struct key){ .offset = r->field }),
                   r->real);
}

static void
put_rope(struct writer *w)
{
    const struct rope_desc *r = &w->d->rope[0];

    put_number(w, GGUF_ROPE_DIMENSIONS, 2 * r->pairs, false);
    if (strcmp(r->type, "linear") != 0 && strcmp(r->type, "yarn") != 0)
        return; /* that of Llama 3 is a tensor */
    put_text(w, GGUF_ROPE_SCALING "type", r->type);
    put_number(w, GGUF_ROPE_SCALING "factor", r->stretch, true);
    if (strcmp(r->type, "yarn") == 0)
        put_number(w, GGUF_ROPE_SCALING "original_context_length",
                   r->original, false);
}

static int
read_config(struct writer *x, const struct weights *w, struct err *e)
{
    const char *text;
    size_t n;
    int rc = weights_config(w, &text, &n, e);

    return rc < 0 ? rc : family_config(&x->c, &x->family, text, n, w->path, e);
}

int
gguf_put_config(struct gguf_out *g, const struct gguf_arch *arch,
                const struct weights *w, const struct model_desc *d,
                struct err *e)
{
    struct writer x = { .g = g, .arch = arch, .d = d };
    int rc = read_config(&x, w, e);

    if (rc < 0)
        return rc;
    gguf_out_string(g, "general.architecture", arch->name);
    gguf_out_string(g, "general.type", "model");
    for (const struct gguf_row *r = gguf_rows; r->key != NULL; r++)
        put_row(&x, r);
    if (x.c.head_dim * x.c.heads != x.c.dim)
        put_number(&x, GGUF_VALUE_LENGTH, x.c.head_dim, false);
    put_row(&x, &gguf_eps_rows[d->norm]);
    for (const struct gguf_row *r = gguf_own; r->key != NULL; r++)
        put_row(&x, r);
    if (d->pos == POS_ROTARY)
        put_rope(&x);
    return 0;
}

int
gguf_rope_factors(float **factor, const struct weights *w,
                  const struct model_desc *d, struct err *e)
{
    const struct rope_desc *r = &d->rope[0];
    struct writer x = { .d = d };
    int rc = read_config(&x, w, e);

    *factor = NULL;
    if (rc < 0 || d->pos != POS_ROTARY || strcmp(r->type, "llama3") != 0)
        return rc;
    *factor = mem_array(r->pairs, sizeof(**factor));
    for (uint32_t i = 0; i < r->pairs; i++)
        (*factor)[i] = (float)(pow(x.c.theta, -(double)i / r->pairs)
                               / (double)r->freq[i]);
    return 0;
}
