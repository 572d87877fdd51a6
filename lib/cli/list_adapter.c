/* list_adapter.c - an adapter's numbers, and what its config and its run tell
 * of where it comes from. */
#include "cli/list_adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "train/rundir.h"
#include "weights/adapter_mlx.h"

/* What there is to say. */
struct told {
    const char *path, *format;
    struct adapter a;
    uint32_t least, most;  /* ranks */
    uint64_t parameters;
    struct map leaves;     /* names in layers */
    bool has_base;
    struct id base;        /* that its run recorded */
};

static const char *
kind_of(const struct adapter *a)
{
    return a->dora ? "dora" : a->rslora ? "rslora" : "lora";
}

static void
count(struct told *t)
{
    const struct adapter *a = &t->a;

    t->least = t->most = a->item[0].rank;
    for (size_t i = 0; i < a->n; i++) {
        const struct adapter_module *m = &a->item[i];
        uint32_t layer;
        const char *leaf = adapter_name_in_layer(m->name, &layer);

        t->least = m->rank < t->least ? m->rank : t->least;
        t->most = m->rank > t->most ? m->rank : t->most;
        t->parameters += (uint64_t)m->rank * ((uint64_t)m->in + m->out)
                         + (a->dora ? m->out : 0);
        map_put(&t->leaves, leaf, strlen(leaf), 0, NULL);
    }
    for (size_t i = 0; i < a->n_whole; i++)
        t->parameters += a->whole[i].rows * a->whole[i].cols;
    for (size_t i = 0; i < a->n_tokens; i++)
        t->parameters += (uint64_t)a->tokens[i].n * a->tokens[i].cols;
}

/* Rows of tokens that it has. */
static uint64_t
n_tokens(const struct adapter *a)
{
    uint64_t n = 0;

    for (size_t i = 0; i < a->n_tokens; i++)
        n += a->tokens[i].module ? a->tokens[i].n : 0;
    return n;
}

static void
put_json(struct buf *b, const struct told *t)
{
    const struct adapter *a = &t->a;
    char hex[ID_HEX + 1];

    buf_addstr(b, "{\"path\": ");
    json_put_string(b, t->path, strlen(t->path));
    buf_addf(b, ", \"format\": \"%s\", \"kind\": \"%s\", \"rank\": %u, "
             "\"ranks\": [%u, %u]", t->format, kind_of(a), a->rank,
             t->least, t->most);
    json_put_number(b, "alpha", a->alpha);
    buf_addf(b, ", \"modules\": %zu, \"parameters\": %llu, \"targets\": [",
             a->n, (unsigned long long)t->parameters);
    for (size_t i = 0; i < t->leaves.n; i++) {
        buf_addstr(b, i > 0 ? ", " : "");
        json_put_string(b, map_key(&t->leaves, i), t->leaves.entry[i].len);
    }
    buf_addstr(b, "], \"modules_to_save\": [");
    for (size_t i = 0; i < a->n_save; i++) {
        buf_addstr(b, i > 0 ? ", " : "");
        json_put_string(b, a->save[i], strlen(a->save[i]));
    }
    buf_addstr(b, "], \"trainable_tokens\": ");
    buf_addf(b, "%llu, \"base\": ", (unsigned long long)n_tokens(a));
    if (a->base != NULL)
        json_put_string(b, a->base, strlen(a->base));
    else
        buf_addstr(b, "null");
    if (t->has_base)
        buf_addf(b, ", \"base_id\": \"%s\"}", id_hex(&t->base, hex));
    else
        buf_addstr(b, ", \"base_id\": null}");
}

static void
put_text(struct buf *b, const struct told *t)
{
    const struct adapter *a = &t->a;

    buf_addf(b, "%s: %s, %s, rank %u", t->path, t->format, kind_of(a),
             t->least);
    if (t->most > t->least)
        buf_addf(b, " to %u", t->most);
    buf_addf(b, ", alpha %g, %zu modules (", a->alpha, a->n);
    for (size_t i = 0; i < t->leaves.n; i++)
        buf_addf(b, "%s%.*s", i > 0 ? " " : "", (int)t->leaves.entry[i].len,
                 map_key(&t->leaves, i));
    for (size_t i = 0; i < a->n_save; i++)
        buf_addf(b, "%s%s", i > 0 ? " " : ") and all of (", a->save[i]);
    buf_addstr(b, ")");
    if (n_tokens(a) > 0)
        buf_addf(b, " and %llu tokens", (unsigned long long)n_tokens(a));
    buf_addf(b, ", %llu parameters%s%s", (unsigned long long)t->parameters,
             a->base ? ", for " : "", a->base ? a->base : "");
}

int
list_adapter(struct buf *b, const char *path, bool people, struct err *e)
{
    struct told t = { .path = path };
    char *dir = NULL;
    int rc = adapter_find(&dir, path, e);

    if (rc < 0)
        return rc;
    map_init(&t.leaves);
    rc = adapter_read(&t.a, dir, e);
    if (rc == 0) {
        t.format = adapter_is_mlx(dir) ? "mlx" : "peft";
        rc = rundir_base(&t.base, &t.has_base, dir, e);
    }
    if (rc == 0) {
        count(&t);
        (people ? put_text : put_json)(b, &t);
    }
    adapter_release(&t.a);
    map_release(&t.leaves);
    free(dir);
    return rc;
}
