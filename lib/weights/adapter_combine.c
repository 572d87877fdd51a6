/* adapter_combine.c - modules of all adapters by name, then their matrices
 * side by side, then a config that says what came of it. */
#include "weights/adapter_combine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "weights/adapter_config.h"
#include "weights/adapter_layout.h"
#include "weights/module_pattern.h"

/* Scales beyond these would make matrices that are hardly numbers. */
#define LEAST_SCALE 1e-3
#define MOST_SCALE 1e3

struct combiner {
    struct adapter *sum;
    const struct adapter_share *share;
    size_t n;
    struct map names;  /* of modules, to their index in sum->item */
    size_t *first;     /* by that index: the share that it came with */
    double scale;
    struct err *e;
};

/* Modules */

static int
refuse_dora(const struct adapter_share *s, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: an adapter with DoRA can't be combined "
                   "with others: its magnitudes are of all that is added; "
                   "merge one after the other", s->path);
}

static int
refuse_whole(const struct adapter_share *s, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: an adapter with modules trained in full "
                   "(modules_to_save) can't be combined with others: they "
                   "take the base's place", s->path);
}

static int
refuse_tokens(const struct adapter_share *s, struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: an adapter with rows of tokens "
                   "(trainable_token_indices) can't be combined with others: "
                   "they take the base's place", s->path);
}

/* Module m of share k, which has rank besides what its partners have. */
static int
add_module(struct combiner *c, size_t k, const struct adapter_module *m)
{
    bool added;
    size_t i = (size_t)map_put(&c->names, m->name, strlen(m->name),
                               c->sum->n, &added)->value;
    struct adapter_module *own = &c->sum->item[i];

    if (added) {
        *own = (struct adapter_module){ .name = mem_strdup(m->name),
                                        .in = m->in, .out = m->out };
        c->first[c->sum->n++] = k;
    }
    if (own->in != m->in || own->out != m->out)
        return err_set(c->e, ERR_DATA, "module %s: maps %u to %u in %s, and "
                       "%u to %u in %s", m->name, own->in, own->out,
                       c->share[c->first[i]].path, m->in, m->out,
                       c->share[k].path);
    own->rank += m->rank;
    if (own->rank > ADAPTER_MAX_RANK)
        return err_set(c->e, ERR_DATA, "module %s: ranks add up to more than "
                       "%d", m->name, ADAPTER_MAX_RANK);
    return 0;
}

static int
add_modules(struct combiner *c)
{
    size_t most = 0;
    int rc = 0;

    for (size_t k = 0; k < c->n; k++)
        most += c->share[k].a->n;
    c->sum->item = mem_array(most, sizeof(*c->sum->item));
    c->first = mem_array(most, sizeof(*c->first));
    for (size_t k = 0; k < c->n && rc == 0; k++) {
        const struct adapter *a = c->share[k].a;

        if (a->dora)
            return refuse_dora(&c->share[k], c->e);
        if (a->n_whole > 0)
            return refuse_whole(&c->share[k], c->e);
        if (a->n_tokens > 0)
            return refuse_tokens(&c->share[k], c->e);
        for (size_t i = 0; i < a->n && rc == 0; i++)
            rc = add_module(c, k, &a->item[i]);
    }
    return rc;
}

/* Matrices */

/* Places for all matrices, and none taken. */
static int
make_room(struct combiner *c)
{
    struct adapter *sum = c->sum;
    uint64_t n = 0;
    float *at;

    for (size_t i = 0; i < sum->n; i++)
        n += (uint64_t)sum->item[i].rank
             * ((uint64_t)sum->item[i].in + sum->item[i].out);
    at = sum->data = mem_try(n * sizeof(*at));
    if (at == NULL)
        return err_set(c->e, ERR_IO, "out of memory for %llu floats",
                       (unsigned long long)n);
    for (size_t i = 0; i < sum->n; i++) {
        struct adapter_module *m = &sum->item[i];

        m->a = at;
        at += (size_t)m->rank * m->in;
        m->b = at;
        at += (size_t)m->rank * m->out;
        m->rank = 0;
    }
    return 0;
}

/* Module m of share k goes beside what its partners have in own, whose rank
 * is how much that is; whole is what it will be. */
static int
put_module(const struct combiner *c, size_t k, const struct adapter_module *m,
           struct adapter_module *own, uint32_t whole)
{
    const struct adapter_share *s = &c->share[k];
    double factor = s->weight * adapter_scale(s->a, m) / c->scale;
    float *a = (float *)own->a + (size_t)own->rank * m->in;
    float *b = (float *)own->b + own->rank;

    memcpy(a, m->a, (size_t)m->rank * m->in * sizeof(*a));
    for (size_t o = 0; o < m->out; o++)
        for (size_t i = 0; i < m->rank; i++) {
            float v = (float)(factor * (double)m->b[o * m->rank + i]);

            if (!isfinite(v))
                return err_set(c->e, ERR_DATA, "%s: module %s: times %g, a "
                               "value is too great for F32", s->path,
                               m->name, factor);
            b[o * whole + i] = v;
        }
    own->rank += m->rank;
    return 0;
}

static int
put_modules(struct combiner *c)
{
    struct adapter *sum = c->sum;
    uint32_t *whole = mem_array(sum->n, sizeof(*whole));
    int rc;

    for (size_t i = 0; i < sum->n; i++)
        whole[i] = sum->item[i].rank;
    rc = make_room(c);
    for (size_t k = 0; k < c->n && rc == 0; k++) {
        const struct adapter *a = c->share[k].a;

        for (size_t j = 0; j < a->n && rc == 0; j++) {
            const char *name = a->item[j].name;
            size_t i = (size_t)map_get(&c->names, name, strlen(name))->value;

            rc = put_module(c, k, &a->item[j], &sum->item[i], whole[i]);
        }
    }
    free(whole);
    return rc;
}

/* The config */

/* The rank that most modules have; of several such, the one met first. */
static uint32_t
common_rank(const struct adapter *a)
{
    uint32_t *of = mem_array(ADAPTER_MAX_RANK + 1, sizeof(*of)), rank;

    for (size_t i = 0; i < a->n; i++)
        of[a->item[i].rank]++;
    rank = a->item[0].rank;
    for (size_t i = 1; i < a->n; i++)
        if (of[a->item[i].rank] > of[rank])
            rank = a->item[i].rank;
    free(of);
    return rank;
}

/* Whether every module that this name means has that rank. */
static bool
says_all(const struct adapter *a, const char *name, uint32_t rank)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->item[i].rank != rank && module_is_named(a->item[i].name, name))
            return false;
    return true;
}

/* Of module m both patterns tell rank and alpha. */
static void
add_pattern(struct combiner *c, const struct adapter_module *m)
{
    struct adapter_patterns *rank = &c->sum->rank_pattern;
    struct adapter_patterns *alpha = &c->sum->alpha_pattern;
    uint32_t layer;
    const char *key = adapter_name_in_layer(m->name, &layer);

    if (!says_all(c->sum, key, m->rank))
        key = m->name;
    for (size_t i = 0; i < rank->n; i++)
        if (strcmp(rank->item[i].key, key) == 0)
            return;
    rank->item[rank->n++] = (struct adapter_pattern){ mem_strdup(key),
                                                      m->rank };
    alpha->item[alpha->n++] = (struct adapter_pattern){
        mem_strdup(key), c->scale * m->rank
    };
}

/* Whether the adapter's targets are of some layers, or may be. */
static bool
picks_layers(const struct adapter *a)
{
    bool picks = a->target_pattern || a->some_layers;
    uint32_t layer = UINT32_MAX;

    for (size_t i = 0; i < a->n_targets && layer == UINT32_MAX; i++)
        adapter_name_in_layer(a->target[i], &layer);
    return picks || layer != UINT32_MAX;
}

/* Whether names in layers say which modules there are: each is in every layer
 * up to the last, and no adapter leaves out layers. */
static bool
is_regular(const struct combiner *c)
{
    const struct adapter *sum = c->sum;
    uint32_t last = 0, layer;
    struct map leaves;
    bool regular = true;

    map_init(&leaves);
    for (size_t i = 0; i < sum->n; i++) {
        const char *leaf = adapter_name_in_layer(sum->item[i].name, &layer);

        map_put(&leaves, leaf, strlen(leaf), 0, NULL)->value++;
        last = layer > last ? layer : last;
    }
    for (size_t i = 0; i < leaves.n; i++)
        regular = regular && leaves.entry[i].value == (uint64_t)last + 1;
    map_release(&leaves);
    for (size_t k = 0; k < c->n; k++)
        regular = regular && !picks_layers(c->share[k].a);
    return regular;
}

/* Names in layers, which adapter_write takes from the items; or else whole
 * names, which are right whatever the base has besides. */
static void
set_targets(struct combiner *c)
{
    struct adapter *sum = c->sum;

    if (is_regular(c))
        return;
    sum->target = mem_array(sum->n, sizeof(*sum->target));
    for (size_t i = 0; i < sum->n; i++)
        sum->target[sum->n_targets++] = mem_strdup(sum->item[i].name);
}

static void
set_config(struct combiner *c)
{
    const struct adapter *first = c->share[0].a;
    struct adapter *sum = c->sum;

    sum->rank = common_rank(sum);
    sum->alpha = c->scale * sum->rank;
    sum->dropout = first->dropout;
    sum->fan_in_fan_out = first->fan_in_fan_out;
    sum->base = first->base ? mem_strdup(first->base) : NULL;
    sum->rank_pattern.item = mem_array(sum->n, sizeof(struct adapter_pattern));
    sum->alpha_pattern.item = mem_array(sum->n,
                                        sizeof(struct adapter_pattern));
    for (size_t i = 0; i < sum->n; i++) {
        struct adapter_module *m = &sum->item[i];

        m->alpha = c->scale * m->rank;
        if (m->rank != sum->rank)
            add_pattern(c, m);
    }
    set_targets(c);
}

static int
by_name(const void *x, const void *y)
{
    const struct adapter_module *a = x, *b = y;

    return strcmp(a->name, b->name);
}

int
adapter_combine(struct adapter *sum, const struct adapter_share *share,
                size_t n, struct err *e)
{
    struct combiner c = { .sum = sum, .share = share, .n = n, .e = e };
    double scale = adapter_scale(share[0].a, &share[0].a->item[0]);
    int rc;

    memset(sum, 0, sizeof(*sum));
    c.scale = fabs(scale) >= LEAST_SCALE && fabs(scale) <= MOST_SCALE
              ? scale : 1;
    map_init(&c.names);
    rc = add_modules(&c);
    if (rc == 0)
        rc = put_modules(&c);
    if (rc == 0) {
        qsort(sum->item, sum->n, sizeof(*sum->item), by_name);
        set_config(&c);
    } else {
        adapter_release(sum);
    }
    map_release(&c.names);
    free(c.first);
    return rc;
}
