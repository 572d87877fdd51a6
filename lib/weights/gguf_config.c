/* gguf_config.c - the keys of a GGUF file into a config.json. */
#include "weights/gguf_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/family.h"
#include "weights/gguf_rope.h"
#include "weights/gguf_rows.h"

static const struct gguf_arch archs[] = {
    { "llama", "llama", .windowed = "mistral", .paired = true },
    { "qwen2", "qwen2" },
    { "qwen3", "qwen3", .bias = GGUF_BIAS_NONE },
    { "qwen3moe", "qwen3_moe", .bias = GGUF_BIAS_NONE, .experts = true },
    { "granite", "granite", .paired = true },
    { "olmo2", "olmo2", .bias = GGUF_BIAS_NONE, .own_head = true },
    { "starcoder2", "starcoder2", .bias = GGUF_BIAS_ALL },
    { "gpt2", "gpt2" },
    { "phi2", "phi", .own_head = true },
    { "starcoder", "gpt_bigcode", .unread = true },
    { "phi3", "phi3", .unread = true },
    { "gemma", "gemma", .unread = true },
    { "gemma3", "gemma3_text", .unread = true },
};

#define N_ARCHS (sizeof(archs) / sizeof(archs[0]))

/* Keys that say nothing new if they have this value, and are refused if they
 * have another. */
static const struct {
    const char *key;
    double value;
} harmless[] = {
    { "attention.causal", 1 },
    { "attention.clamp_kqv", 0 },
    { "attention.max_alibi_bias", 0 },
    { "embedding_scale", 1 },
    { "expert_count", 0 },
    { "expert_used_count", 0 },
    { "expert_shared_count", 0 },
    { "leading_dense_block_count", 0 },
    { "logit_scale", 1 },
    { "pooling_type", 0 },
    { "residual_scale", 1 },
};

#define N_HARMLESS (sizeof(harmless) / sizeof(harmless[0]))

/* What is made into a config. */
struct maker {
    const struct gguf *g;
    const struct gguf_arch *arch;
    const struct family *family;
    struct config c;  /* 0: not said */
    struct err *e;
};

/* Keys */

static const struct gguf_key *
find_key(const struct maker *m, const char *key)
{
    char name[GGUF_MAX_NAME];

    snprintf(name, sizeof(name), "%s.%s", m->arch->name, key);
    return gguf_find(m->g, name);
}

static int
refuse(const struct maker *m, const struct gguf_key *k, const char *what)
{
    char found[GGUF_VALUE];

    return err_set(m->e, ERR_DATA, "%s: key %.*s (found %s, expected %s)",
                   m->g->path, (int)k->name.n, k->name.p,
                   gguf_value_text(found, k), what);
}

/* A number, or a list of numbers that are all the same: a setting of every
 * layer. */
static int
read_number(double *v, const struct maker *m, const struct gguf_key *k,
            bool real)
{
    double first = 0, other;
    int64_t whole;

    for (uint64_t i = 0; i < k->n; i++) {
        if (!gguf_real(k, i, &other)
            || (!real && !gguf_whole(k, i, &whole)))
            return refuse(m, k, real ? "a number" : "a whole number");
        if (i > 0 && other != first)
            return refuse(m, k, "the same for all layers");
        first = other;
    }
    if (k->n == 0)
        return refuse(m, k, "a number");
    *v = first;
    return 0;
}

/* *v stays as it is where the key is absent. */
static int
read_setting(double *v, const struct maker *m, const char *key, bool real)
{
    const struct gguf_key *k = find_key(m, key);

    return k == NULL ? 0 : read_number(v, m, k, real);
}

static bool
is_of_experts(const struct gguf_row *r)
{
    return r->field == FIELD(experts) || r->field == FIELD(top_k)
           || r->field == FIELD(expert_dim);
}

static int
read_row(struct maker *m, const struct gguf_row *r)
{
    double *v = (double *)((char *)&m->c + r->field);
    bool required = r->required || (m->arch->experts && is_of_experts(r));

    if (required && find_key(m, r->key) == NULL)
        return err_set(m->e, ERR_DATA, "%s: has no key %s.%s", m->g->path,
                       m->arch->name, r->key);
    return read_setting(v, m, r->key, r->real);
}

/* Checks */

/* Whether a key that no row reads is done all the same. */
static int
check_other(const struct maker *m, const struct gguf_key *k,
            const char *key, size_t n)
{
    double v;

    for (size_t i = 0; i < N_HARMLESS; i++) {
        char expected[64];

        if (strlen(harmless[i].key) != n
            || memcmp(harmless[i].key, key, n) != 0)
            continue;
        snprintf(expected, sizeof(expected), "%g: other values are not "
                 "implemented", harmless[i].value);
        if (!gguf_real(k, 0, &v) || k->n != 1 || v != harmless[i].value)
            return refuse(m, k, expected);
        return 0;
    }
    return refuse(m, k, "no such key: it is not implemented");
}

static bool
is_read(const struct maker *m, const char *key, size_t n)
{
    const char *eps = gguf_eps_rows[m->family->norm].key;

    for (const struct gguf_row *r = gguf_rows; r->key != NULL; r++)
        if (strlen(r->key) == n && memcmp(r->key, key, n) == 0)
            return true;
    for (const struct gguf_row *r = gguf_own; r->key != NULL; r++)
        if (strlen(r->key) == n && memcmp(r->key, key, n) == 0)
            return gguf_family_key(m->family, r->field) != NULL;
    return (strlen(eps) == n && memcmp(eps, key, n) == 0)
           || gguf_rope_reads(key, n);
}

/* Every key of the architecture. */
static int
check_keys(const struct maker *m)
{
    size_t prefix = strlen(m->arch->name);
    int rc = 0;

    for (size_t i = 0; i < m->g->n_keys && rc == 0; i++) {
        const struct gguf_key *k = &m->g->key[i];
        const char *key = k->name.p + prefix + 1;

        if (k->name.n <= prefix + 1 || k->name.p[prefix] != '.'
            || memcmp(k->name.p, m->arch->name, prefix) != 0)
            continue;
        if (!is_read(m, key, k->name.n - prefix - 1))
            rc = check_other(m, k, key, k->name.n - prefix - 1);
    }
    return rc;
}

/* A number that the family has no key for has to be what it would be without.
 */
static int
check_derived(const struct maker *m, size_t field, const char *key, double v,
              double derived)
{
    char expected[64];

    if (gguf_family_key(m->family, field) != NULL || v == derived
        || find_key(m, key) == NULL)
        return 0;
    snprintf(expected, sizeof(expected), "%g, as a %s model has it", derived,
             m->family->model_type);
    return refuse(m, find_key(m, key), expected);
}

/* A window that no token reaches the end of is none; a family that has one
 * for some of its layers is not told by a number which. */
static int
settle_window(struct maker *m)
{
    int rc = 0;

    if (m->c.window >= m->c.max_pos)
        m->c.window = 0;
    if (m->c.window != 0 && m->arch->windowed != NULL)
        rc = family_find(&m->family, m->arch->windowed, m->e);
    if (rc == 0 && m->c.window != 0
        && (gguf_family_key(m->family, FIELD(window)) == NULL
            || gguf_family_key(m->family, FIELD(use_window)) != NULL))
        return refuse(m, find_key(m, "attention.sliding_window"),
                         "no window that is shorter than the context");
    return rc;
}

/* Fills in what is not said, and compares what is said twice. */
static int
settle(struct maker *m)
{
    const struct gguf_tensor *embed = gguf_tensor(m->g, "token_embd.weight");
    struct config *c = &m->c;
    double derived = c->heads > 0 ? c->dim / c->heads : 0, value;
    int rc;

    if (embed == NULL)
        return err_set(m->e, ERR_DATA, "%s: tensor token_embd.weight is "
                       "missing", m->g->path);
    if (find_key(m, "vocab_size") == NULL)
        c->vocab = (double)embed->ne[1];
    if (find_key(m, "attention.head_count_kv") == NULL)
        c->kv_heads = c->heads;
    if (find_key(m, "attention.key_length") == NULL)
        c->head_dim = derived;
    if (c->attn_scale == 0 && c->head_dim > 0)
        c->attn_scale = 1 / sqrt(c->head_dim);
    value = c->head_dim;
    rc = read_setting(&value, m, GGUF_VALUE_LENGTH, false);
    if (rc == 0 && value != c->head_dim)
        rc = refuse(m, find_key(m, GGUF_VALUE_LENGTH),
                       "the length of a key");
    if (rc == 0)
        rc = check_derived(m, FIELD(kv_heads), "attention.head_count_kv",
                           c->kv_heads, c->heads);
    if (rc == 0)
        rc = check_derived(m, FIELD(head_dim), "attention.key_length",
                           c->head_dim, derived);
    return rc < 0 ? rc : settle_window(m);
}

/* Writing */

static void
put_real(struct buf *b, const char *name, double v)
{
    buf_addf(b, ",\n  \"%s\": ", name);
    json_put_double(b, v);
}

/* A whole number that transformers takes for one, not 3e+01. */
static void
put_whole(struct buf *b, const char *name, double v)
{
    buf_addf(b, ",\n  \"%s\": %.0f", name, v);
}

/* The family's key for a field, if it has one. */
static void
put_field(struct buf *b, const struct maker *m, size_t field)
{
    const struct key *k = gguf_family_key(m->family, field);
    double v = key_value(&m->c, &(struct key){ .offset = field });

    if (k == NULL)
        return;
    if (k->kind == KEY_BOOL)
        buf_addf(b, ",\n  \"%s\": %s", k->name, v != 0 ? "true" : "false");
    else if (field == FIELD(window) && v == 0)
        buf_addf(b, ",\n  \"%s\": null", k->name);
    else if (k->kind == KEY_COUNT)
        put_whole(b, k->name, v);
    else
        put_real(b, k->name, v);
}

static void
put_id(struct buf *b, const struct gguf *g, const char *name,
       const char *from)
{
    const struct gguf_key *k = gguf_find(g, from);
    int64_t id;

    if (k != NULL && k->n == 1 && gguf_whole(k, 0, &id))
        put_whole(b, name, (double)id);
}

static void
put_config(struct buf *b, struct maker *m, const struct gguf_rope *rope)
{
    const struct gguf *g = m->g;

    buf_addf(b, "{\n  \"model_type\": \"%s\",\n  \"architectures\": [\"%s\"]",
             m->family->model_type, m->family->architecture);
    put_field(b, m, FIELD(eps));
    for (const struct gguf_row *r = gguf_rows; r->key != NULL; r++)
        if (r->field != FIELD(window)
            || gguf_family_key(m->family, FIELD(use_window)) == NULL)
            put_field(b, m, r->field);
    for (const struct gguf_row *r = gguf_own; r->key != NULL; r++)
        if (key_value(&m->c, &(struct key){ .offset = r->field }) != 0
            || (m->arch->experts && is_of_experts(r)))
            put_field(b, m, r->field);
    m->c.tied = gguf_tensor(g, "output.weight") == NULL;
    m->c.attn_bias = gguf_tensor(g, "blk.0.attn_output.bias") != NULL;
    m->c.mlp_bias = gguf_tensor(g, "blk.0.ffn_down.bias") != NULL;
    m->c.route_norm = m->arch->experts;
    m->c.rotary = rope->rotary;
    put_field(b, m, FIELD(tied));
    put_field(b, m, FIELD(attn_bias));
    put_field(b, m, FIELD(mlp_bias));
    put_field(b, m, FIELD(rotary));
    put_field(b, m, FIELD(in_out));
    put_field(b, m, FIELD(route_norm));
    gguf_rope_put(b, rope);
    put_id(b, g, "bos_token_id", "tokenizer.ggml.bos_token_id");
    put_id(b, g, "eos_token_id", "tokenizer.ggml.eos_token_id");
    put_id(b, g, "pad_token_id", "tokenizer.ggml.padding_token_id");
    buf_addstr(b, "\n}\n");
}

int
gguf_config(struct buf *config, const struct gguf_arch *arch,
            const struct gguf *g, struct err *e)
{
    struct maker m = { .g = g, .arch = arch, .c = { .theta = 1e4 }, .e = e };
    struct gguf_rope rope = { 0 };
    int rc = family_find(&m.family, arch->model_type, e);

    if (rc < 0)
        return err_prefix(e, "%s", g->path);
    rc = check_keys(&m);
    for (const struct gguf_row *r = gguf_rows; r->key != NULL && rc == 0; r++)
        rc = read_row(&m, r);
    for (const struct gguf_row *r = gguf_own; r->key != NULL && rc == 0; r++)
        rc = read_row(&m, r);
    if (rc == 0)
        rc = read_row(&m, &gguf_eps_rows[m.family->norm]);
    if (rc == 0)
        rc = settle(&m);
    if (rc == 0)
        rc = gguf_rope_read(&rope, g, arch->name, &m.c,
                            gguf_family_key(m.family, FIELD(rotary)) != NULL,
                            e);
    if (rc == 0)
        put_config(config, &m, &rope);
    return rc;
}

/* Architectures */

const struct gguf_tensor *
gguf_tensor(const struct gguf *g, const char *name)
{
    for (size_t i = 0; i < g->n_tensors; i++)
        if (gguf_text_is(g->tensor[i].name, name))
            return &g->tensor[i];
    return NULL;
}

/* It holds a whole model. */
static int
check_kind(const struct gguf *g, struct err *e)
{
    const struct gguf_key *type = gguf_find(g, "general.type");
    const struct gguf_key *split = gguf_find(g, "split.count");
    char found[GGUF_VALUE];
    struct gguf_text t;
    int64_t parts;

    if (type != NULL && !(gguf_string(type, &t) && gguf_text_is(t, "model")))
        return err_set(e, ERR_DATA, "%s: holds no model (found general.type "
                       "%s)", g->path, gguf_value_text(found, type));
    if (split != NULL && !(gguf_whole(split, 0, &parts) && split->n == 1
                           && parts <= 1))
        return err_set(e, ERR_DATA, "%s: is one of %s files of a model, "
                       "which are not read together: merge them with "
                       "llama-gguf-split --merge", g->path,
                       gguf_value_text(found, split));
    return 0;
}

static int
unknown_arch(const struct gguf *g, const struct gguf_key *k, struct err *e)
{
    char found[GGUF_VALUE];
    struct buf names;
    int rc;

    buf_init(&names);
    for (size_t i = 0; i < N_ARCHS; i++)
        if (!archs[i].unread)
            buf_addf(&names, "%s%s", i == 0 ? "" : ", ", archs[i].name);
    rc = err_set(e, ERR_DATA, "%s: general.architecture (found %s, expected "
                 "one of %s)", g->path,
                 k ? gguf_value_text(found, k) : "nothing", names.data);
    buf_release(&names);
    return rc;
}

int
gguf_arch_find(const struct gguf_arch **arch, const struct gguf *g,
               struct err *e)
{
    const struct gguf_key *k = gguf_find(g, "general.architecture");
    struct gguf_text name;
    int rc = check_kind(g, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < N_ARCHS && k && gguf_string(k, &name); i++)
        if (gguf_text_is(name, archs[i].name) && !archs[i].unread) {
            *arch = &archs[i];
            return 0;
        }
    return unknown_arch(g, k, e);
}

const struct gguf_arch *
gguf_arch_of(const char *model_type)
{
    for (size_t i = 0; i < N_ARCHS; i++)
        if (strcmp(archs[i].model_type, model_type) == 0
            || (archs[i].windowed
                && strcmp(archs[i].windowed, model_type) == 0))
            return &archs[i];
    return NULL;
}
