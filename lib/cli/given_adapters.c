/* given_adapters.c - texts to directories and weights, and these to one
 * adapter. */
#include "cli/given_adapters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/rundir.h"
#include "weights/adapter_combine.h"

/* DIR, or DIR=NUMBER. */
static int
read_text(struct given_adapter *g, const char *text, struct err *e)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;

    g->weight = 1;
    if (equals != NULL && equals[1] > ' ')
        g->weight = strtod(equals + 1, &end);
    if (end == NULL || end == equals + 1 || *end != '\0') {
        g->weight = 1;
        g->path = mem_strdup(text);
        return 0;
    }
    g->path = mem_dup(text, (size_t)(equals - text));
    if (isfinite(g->weight))
        return 0;
    return err_set(e, ERR_USAGE, "%s: a weight is a number (found %s)",
                   g->path, equals + 1);
}

static int
find_one(struct given_adapter *g, const char *text, struct err *e)
{
    struct run_report r;
    int rc = read_text(g, text, e);

    if (rc == 0)
        rc = adapter_find(&g->dir, g->path, e);
    if (rc == 0 && strcmp(g->dir, g->path) != 0)
        rc = rundir_verify(&r, g->path, e);
    return rc;
}

int
given_adapters_find(struct given_adapters *g, const char *const *text,
                    size_t n, struct err *e)
{
    int rc = 0;

    g->item = mem_array(n, sizeof(*g->item));
    g->n = n;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = find_one(&g->item[i], text[i], e);
    if (rc < 0)
        given_adapters_release(g);
    return rc;
}

void
given_adapters_release(struct given_adapters *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->item[i].path);
        free(g->item[i].dir);
    }
    free(g->item);
    memset(g, 0, sizeof(*g));
}

bool
given_adapters_plain(const struct given_adapters *g)
{
    return g->n == 1 && g->item[0].weight >= 1 && g->item[0].weight <= 1;
}

/* What a sum is of is of one base, as far as anybody knows. */
static void
compare_bases(const struct adapter_share *s, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const char *first = s[0].a->base, *own = s[i].a->base;

        if (first != NULL && own != NULL && strcmp(first, own) != 0)
            log_warn("%s is for the base %s, %s for %s", s[0].path, first,
                     s[i].path, own);
    }
}

int
given_adapters_read(struct adapter *a, const struct given_adapters *g,
                    struct err *e)
{
    struct adapter_share *share = mem_array(g->n, sizeof(*share));
    struct adapter *each = mem_array(g->n, sizeof(*each));
    size_t n = 0;
    int rc = 0;

    for (; n < g->n && rc == 0; n++) {
        rc = adapter_read(&each[n], g->item[n].dir, e);
        share[n] = (struct adapter_share){ &each[n], g->item[n].path,
                                           g->item[n].weight };
    }
    if (rc == 0 && given_adapters_plain(g)) {
        *a = each[0];
        n = 0;
    } else if (rc == 0) {
        compare_bases(share, n);
        rc = adapter_combine(a, share, n, e);
    }
    while (n-- > 0)
        adapter_release(&each[n]);
    free(each);
    free(share);
    return rc;
}

int
given_adapters_ids(struct buf *b, const struct given_adapters *g,
                   struct err *e)
{
    char hex[ID_HEX + 1];
    int rc = 0;

    for (size_t i = 0; i < g->n && rc == 0; i++) {
        const struct given_adapter *own = &g->item[i];
        struct id id;

        rc = adapter_id(&id, own->dir, e);
        if (rc < 0)
            break;
        buf_addf(b, "%s%s", i > 0 ? "," : "", id_hex(&id, hex));
        if (own->weight < 1 || own->weight > 1) {
            buf_addc(b, '=');
            json_put_double(b, own->weight);
        }
    }
    return rc;
}
