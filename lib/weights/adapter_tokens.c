/* adapter_tokens.c - which rows are trained, and whose they are. */
#include "weights/adapter_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/family.h"
#include "model/keys.h"
#include "weights/adapter_saved.h"

static bool
ends(const char *s, size_t n, const char *with)
{
    size_t k = strlen(with);

    return k <= n && memcmp(s + n - k, with, k) == 0;
}

/* What the messages call it. */
static const char *
shown(const struct adapter_tokens *t)
{
    return t->key ? t->key : "the embedding";
}

/* The entry of that key, made if need be. */
static struct adapter_tokens *
entry_of(struct adapter *a, const char *key)
{
    struct adapter_tokens *t;

    for (size_t i = 0; i < a->n_tokens; i++) {
        const char *own = a->tokens[i].key;

        if (key == NULL || own == NULL ? key == own : strcmp(key, own) == 0)
            return &a->tokens[i];
    }
    a->tokens = mem_grow(a->tokens, (a->n_tokens + 1) * sizeof(*a->tokens));
    t = &a->tokens[a->n_tokens++];
    *t = (struct adapter_tokens){ .key = key ? mem_strdup(key) : NULL };
    return t;
}

void
adapter_tokens_add(struct adapter *a, const char *key, int32_t first,
                   int32_t last)
{
    struct adapter_tokens *t = entry_of(a, key);
    size_t n = t->n + (size_t)(last - first) + 1;

    t->id = mem_grow(t->id, n * sizeof(*t->id));
    for (int64_t id = first; id <= last; id++)
        t->id[t->n++] = (int32_t)id;
}

/* An id, and the place that it had. */
struct placed {
    int32_t id;
    uint32_t was;
};

static int
by_id(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;

    return (a->id > b->id) - (a->id < b->id);
}

static void
move_rows(struct adapter_tokens *t, const struct placed *p)
{
    size_t bytes = t->cols * sizeof(*t->rows);
    float *was = mem_dup(t->rows, t->n * bytes);

    for (uint32_t k = 0; k < t->n; k++)
        memcpy(t->rows + (size_t)k * t->cols,
               was + (size_t)p[k].was * t->cols, bytes);
    free(was);
}

static int
sort_one(struct adapter_tokens *t, struct err *e)
{
    struct placed *p = mem_array(t->n, sizeof(*p));
    bool moved = false;
    int rc = 0;

    for (uint32_t k = 0; k < t->n; k++)
        p[k] = (struct placed){ t->id[k], k };
    qsort(p, t->n, sizeof(*p), by_id);
    for (uint32_t k = 0; k < t->n && rc == 0; k++) {
        if (k > 0 && p[k].id == p[k - 1].id)
            rc = err_set(e, ERR_DATA, "trainable_token_indices: %d is there "
                         "twice, of %s", p[k].id, shown(t));
        moved |= p[k].was != k;
    }
    for (uint32_t k = 0; k < t->n && rc == 0; k++)
        t->id[k] = p[k].id;
    if (rc == 0 && moved && t->rows != NULL)
        move_rows(t, p);
    free(p);
    return rc;
}

int
adapter_tokens_sort(struct adapter *a, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < a->n_tokens && rc == 0; i++)
        rc = sort_one(&a->tokens[i], e);
    return rc;
}

void
adapter_tokens_release(struct adapter *a)
{
    for (size_t i = 0; i < a->n_tokens; i++) {
        free((char *)a->tokens[i].key);
        free((char *)a->tokens[i].module);
        free(a->tokens[i].id);
    }
    free(a->tokens);
    a->tokens = NULL;
    a->n_tokens = 0;
}

static int
read_ids(struct adapter *a, const char *key, const cJSON *list,
         struct err *e)
{
    const cJSON *v;

    if (!cJSON_IsArray(list) || list->child == NULL)
        return key_error("trainable_token_indices", list, e, "a list of ids, "
                         "or an object of such lists by modules");
    cJSON_ArrayForEach(v, list) {
        double x = v->valuedouble;

        if (!cJSON_IsNumber(v) || !(x >= 0 && x < INT32_MAX)
            || x > (double)(int32_t)x)
            return key_error("trainable_token_indices", v, e, "the id of a "
                             "token");
        adapter_tokens_add(a, key, (int32_t)x, (int32_t)x);
    }
    return 0;
}

int
adapter_tokens_config(struct adapter *a, const cJSON *value, struct err *e)
{
    const cJSON *v;
    int rc = 0;

    if (value == NULL || cJSON_IsNull(value))
        return 0;
    if (!cJSON_IsObject(value) || value->child == NULL)
        return read_ids(a, NULL, value, e);
    cJSON_ArrayForEach(v, value) {
        if (v->string[0] == '\0')
            rc = key_error("trainable_token_indices", value, e, "names of "
                           "modules");
        if (rc == 0)
            rc = read_ids(a, v->string, v, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

struct adapter_tokens *
adapter_tokens_of(const struct adapter *a, const char *tensor)
{
    size_t n = strlen(tensor);

    if (!ends(tensor, n, ADAPTER_TOKENS_SUFFIX))
        return NULL;
    n -= strlen(ADAPTER_TOKENS_SUFFIX);
    for (size_t i = 0; i < a->n_tokens; i++) {
        struct adapter_tokens *t = &a->tokens[i];

        if (t->module == NULL && (t->key == NULL || ends(tensor, n, t->key)))
            return t;
    }
    return NULL;
}

static bool
same_ids(const struct adapter_tokens *a, const struct adapter_tokens *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n * sizeof(*a->id)) == 0;
}

int
adapter_tokens_check(const struct adapter *a, struct err *e)
{
    for (size_t i = 0; i < a->n_tokens; i++) {
        const struct adapter_tokens *t = &a->tokens[i];
        bool found = t->module != NULL;

        for (size_t k = 0; k < a->n_tokens; k++)
            found |= a->tokens[k].module && same_ids(&a->tokens[k], t);
        if (!found)
            return err_set(e, ERR_DATA, "trainable_token_indices: the adapter "
                           "has no rows of %s", shown(t));
    }
    return 0;
}

/* Whether t is of module m; in an adapter that was read, that its tensor
 * names. */
static bool
is_of(const struct adapter_tokens *t, const struct model_desc *d,
      const struct module *m)
{
    if (t->module != NULL)
        return strcmp(t->module, m->name) == 0;
    return t->key ? ends(m->name, strlen(m->name), t->key)
                  : m == desc_module(d, ROLE_EMBED, 0);
}

/* Whether t is one more name of what the embedding's are, or of nobody's. */
static bool
is_spare(const struct adapter_tokens *t, const struct adapter *a,
         const struct model_desc *d)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);

    if (!d->tied || t->module != NULL
        || !is_of(t, d, desc_module(d, ROLE_HEAD, 0)))
        return false;
    for (size_t i = 0; i < a->n_tokens; i++)
        if (is_of(&a->tokens[i], d, embed) && same_ids(&a->tokens[i], t))
            return true;
    return false;
}

static int
match_one(const struct adapter_tokens *t, const struct adapter *a,
          const struct model_desc *d, struct err *e)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct module *head = desc_module(d, ROLE_HEAD, 0);
    const struct module *m = is_of(t, d, embed) ? embed
                             : is_of(t, d, head) ? head : NULL;
    const struct model_tensor *w;

    if (m == NULL)
        return err_set(e, ERR_DATA, "trainable_token_indices of %s (expected "
                       "%s or %s)", t->module ? t->module : shown(t),
                       embed->name, head->name);
    if (m == head && d->tied && !is_spare(t, a, d))
        return err_set(e, ERR_DATA, "trainable_token_indices of %s: it is one "
                       "with %s (expected the same ids, of that)",
                       head->name, embed->name);
    if (a->n > 0 && t->module == NULL && !is_spare(t, a, d))
        return err_set(e, ERR_DATA, "trainable_token_indices: the adapter has "
                       "no rows of %s", m->name);
    if (adapter_saves(a, embed->name) || adapter_saves(a, head->name))
        return err_set(e, ERR_USAGE, "trainable_token_indices beside "
                       "modules_to_save of %s or %s", embed->name,
                       head->name);
    w = &d->tensor[m->weight];
    if (t->n > 0 && (uint32_t)t->id[t->n - 1] >= w->rows)
        return err_set(e, ERR_DATA, "trainable_token_indices: %d of %s "
                       "(expected 0 to %u)", t->id[t->n - 1], m->name,
                       w->rows - 1);
    if (t->module != NULL && t->cols != w->cols)
        return err_set(e, ERR_DATA, "rows of %s of the adapter have %u "
                       "columns, in the base %u", m->name, t->cols, w->cols);
    return 0;
}

int
adapter_tokens_match(const struct adapter *a, const struct model_desc *d,
                     struct err *e)
{
    const struct module *embed = desc_module(d, ROLE_EMBED, 0);
    const struct module *head = desc_module(d, ROLE_HEAD, 0);
    int n_embed = 0, n_head = 0, rc = 0;

    for (size_t i = 0; i < a->n_tokens && rc == 0; i++) {
        n_embed += is_of(&a->tokens[i], d, embed);
        n_head += is_of(&a->tokens[i], d, head);
        rc = match_one(&a->tokens[i], a, d, e);
    }
    if (rc == 0 && (n_embed > 1 || n_head > 1))
        return err_set(e, ERR_DATA, "trainable_token_indices of %s are there "
                       "twice", n_embed > 1 ? embed->name : head->name);
    return rc;
}

const struct adapter_tokens *
adapter_tokens_find(const struct adapter *a, const struct model_desc *d,
                    const struct module *m)
{
    if (m == desc_module(d, ROLE_HEAD, 0) && d->tied)
        m = desc_module(d, ROLE_EMBED, 0);
    if (m != desc_module(d, ROLE_EMBED, 0)
        && m != desc_module(d, ROLE_HEAD, 0))
        return NULL;
    for (size_t i = 0; i < a->n_tokens; i++)
        if (is_of(&a->tokens[i], d, m))
            return &a->tokens[i];
    return NULL;
}

void
adapter_tokens_select(struct lora_part *parts, const struct adapter *a,
                      const struct model_desc *d)
{
    const struct module *head = desc_module(d, ROLE_HEAD, 0);

    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];
        const struct adapter_tokens *t = m == head && d->tied
                                         ? NULL
                                         : adapter_tokens_find(a, d, m);

        parts[i].token = t ? t->id : NULL;
        parts[i].n_tokens = t ? t->n : 0;
    }
}
