/* rope.c - rotary settings to inverse frequencies.
 *
 * A frequency is a float in transformers (modeling_rope_utils.py), and each
 * step on the way to it is one in floats, of scalars in double: so it is
 * here, operation by operation, because at position 100,000 an angle shows
 * the last bits of its frequency. Powers are taken in double and rounded.
 */
#include "model/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PI 3.14159265358979323846
#define MAX_FACTOR 1e9

/* The settings of the types, as far as they have them. */
struct settings {
    double factor, original; /* original: 0 where it is max_pos */
    double low, high;        /* llama3: *_freq_factor */
    double attention;        /* yarn: below 0, where it follows from factor */
    double fast, slow;       /* yarn: beta_* */
    double mscale, mscale_all, truncate;
    const cJSON *stretch;    /* longrope: a factor for each pair */
};

#define AT(field) offsetof(struct settings, field)
#define FACTOR(key, field, how) \
    { .name = key, .kind = KEY_REAL, .flags = how, .offset = AT(field), \
      .min = 1e-9, .max = MAX_FACTOR }
#define OR_NULL(key, field, preset) \
    { .name = key, .kind = KEY_REAL, .flags = KEY_NULL, \
      .offset = AT(field), .def = preset, .max = MAX_FACTOR, .none = preset }
#define ORIGINAL \
    { .name = "original_max_position_embeddings", .kind = KEY_COUNT, \
      .offset = AT(original), .min = 1, .max = MAX_FACTOR }
#define END { .name = NULL }

static const struct key default_keys[] = { END };

static const struct key linear_keys[] = {
    FACTOR("factor", factor, KEY_REQUIRED),
    END
};

static const struct key llama3_keys[] = {
    FACTOR("factor", factor, KEY_REQUIRED),
    FACTOR("low_freq_factor", low, KEY_REQUIRED),
    FACTOR("high_freq_factor", high, KEY_REQUIRED),
    ORIGINAL,
    END
};

static const struct key yarn_keys[] = {
    FACTOR("factor", factor, KEY_REQUIRED | KEY_NULL),
    ORIGINAL,
    OR_NULL("attention_factor", attention, -1),
    OR_NULL("beta_fast", fast, 32), /* as is 0 */
    OR_NULL("beta_slow", slow, 1),
    OR_NULL("mscale", mscale, 0),
    OR_NULL("mscale_all_dim", mscale_all, 0),
    { .name = "truncate", .kind = KEY_BOOL, .offset = AT(truncate),
      .def = true },
    END
};

static const struct key longrope_keys[] = {
    FACTOR("factor", factor, KEY_NULL),
    ORIGINAL,
    OR_NULL("attention_factor", attention, -1),
    END
};

static const struct key top_keys[] = { ORIGINAL, END };

/* base^(2 j / dim) */
static float
period(const struct rope_desc *r, float base, uint32_t j)
{
    float exponent = (float)(2 * j) / (float)(2 * r->pairs);

    return (float)pow((double)base, (double)exponent);
}

static void
fill_default(struct rope_desc *r, const struct settings *s, float base)
{
    (void)s;
    r->factor = 1;
    for (uint32_t j = 0; j < r->pairs; j++)
        r->freq[j] = 1.0f / period(r, base, j);
}

static void
fill_linear(struct rope_desc *r, const struct settings *s, float base)
{
    fill_default(r, s, base);
    for (uint32_t j = 0; j < r->pairs; j++)
        r->freq[j] /= (float)s->factor;
}

/* Long waves are stretched by factor, short ones are not, those between are
 * both, by how many of them the original length has. */
static float
llama3_freq(float freq, const struct settings *s)
{
    float factor = (float)s->factor, original = (float)s->original;
    float wave = 1.0f / freq * (float)(2 * PI), smooth;

    if (wave > (float)(s->original / s->low))
        return freq / factor;
    if (wave < (float)(s->original / s->high))
        return freq;
    smooth = (1.0f / wave * original - (float)s->low)
             / (float)(s->high - s->low);
    return (1.0f - smooth) * freq / factor + smooth * freq;
}

static void
fill_llama3(struct rope_desc *r, const struct settings *s, float base)
{
    fill_default(r, s, base);
    for (uint32_t j = 0; j < r->pairs; j++)
        r->freq[j] = llama3_freq(r->freq[j], s);
}

static double
magnitude(double scale, double mscale)
{
    return scale <= 1 ? 1 : 0.1 * mscale * log(scale) + 1;
}

static double
attention_factor(const struct settings *s)
{
    if (s->attention >= 0)
        return s->attention;
    if (s->mscale > 0 && s->mscale_all > 0)
        return magnitude(s->factor, s->mscale)
               / magnitude(s->factor, s->mscale_all);
    return magnitude(s->factor, 1);
}

/* The pair that turns so many times in the original length. */
static double
pair_of(const struct rope_desc *r, const struct settings *s, float base,
        double turns)
{
    return 2 * r->pairs * log(s->original / (turns * 2 * PI))
           / (2 * log((double)base));
}

/* Peng et al., "YaRN", 2023: pairs up to `from` keep their frequency, those
 * from `to` on are stretched by factor, between is a ramp. */
static void
fill_yarn(struct rope_desc *r, const struct settings *s, float base)
{
    double from = pair_of(r, s, base, s->fast > 0 ? s->fast : 32);
    double to = pair_of(r, s, base, s->slow > 0 ? s->slow : 1);

    if (s->truncate != 0) {
        from = floor(from);
        to = ceil(to);
    }
    from = fmax(from, 0);
    to = fmin(to, 2 * r->pairs - 1);
    if (from >= to && from <= to)
        to += 0.001;
    r->factor = attention_factor(s);
    for (uint32_t j = 0; j < r->pairs; j++) {
        float wave = period(r, base, j);
        float ramp = ((float)j - (float)from) / (float)(to - from);
        float keep = 1.0f - fminf(fmaxf(ramp, 0), 1);

        r->freq[j] = 1.0f / ((float)s->factor * wave) * (1.0f - keep)
                     + 1.0f / wave * keep;
    }
}

/* Ding et al., "LongRoPE", 2024, and Phi-3's length for it: these are the
 * factors up to the original length. */
static void
fill_longrope(struct rope_desc *r, const struct settings *s, float base)
{
    const cJSON *by = s->stretch->child;

    r->factor = s->attention >= 0 ? s->attention
                : s->factor <= 1 ? 1
                : sqrt(1 + log(s->factor) / log(s->original));
    for (uint32_t j = 0; j < r->pairs; j++, by = by->next)
        r->freq[j] = 1.0f / ((float)by->valuedouble * period(r, base, j));
    r->positions = (uint32_t)s->original;
}

static const struct rope_type {
    const char *name;
    const struct key *keys;
    void (*fill)(struct rope_desc *r, const struct settings *s, float base);
} types[] = {
    { "default", default_keys, fill_default },
    { "linear", linear_keys, fill_linear },
    { "llama3", llama3_keys, fill_llama3 },
    { "yarn", yarn_keys, fill_yarn },
    { NULL, NULL, NULL }
};

/* Those of a family with long_rope; the last two are older names. */
static const struct rope_type long_types[] = {
    { "default", default_keys, fill_default },
    { "longrope", longrope_keys, fill_longrope },
    { "su", longrope_keys, fill_longrope },
    { "yarn", longrope_keys, fill_longrope },
    { NULL, NULL, NULL }
};

/* The rotary settings of transformers 5: rope_scaling if it is there, which
 * then stands for all of rope_parameters. */
const cJSON *
rope_holder(const cJSON *root)
{
    static const char *const names[] = { "rope_scaling", "rope_parameters" };

    for (size_t i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, names[i]);

        if (v != NULL && !cJSON_IsNull(v)
            && !(cJSON_IsObject(v) && v->child == NULL))
            return v;
    }
    return NULL;
}

/* In rope_scaling, where there is more than a type, an absent one is an
 * error. */
static int
find_type(const struct rope_type **out, const struct family *f,
          const cJSON *holder, struct err *e)
{
    const cJSON *t = cJSON_GetObjectItemCaseSensitive(holder, "rope_type");
    const struct rope_type *type = f->long_rope ? long_types : types;

    *out = type;
    if (t == NULL)
        t = cJSON_GetObjectItemCaseSensitive(holder, "type");
    if (t == NULL && (holder == NULL
                      || strcmp(holder->string, "rope_scaling") != 0))
        return 0;
    for (; cJSON_IsString(t) && type->name != NULL; type++)
        if (strcmp(t->valuestring, type->name) == 0) {
            *out = type;
            return 0;
        }
    return key_error("rope_type", t, e, f->long_rope
                     ? "\"default\" or \"longrope\""
                     : "\"default\", \"linear\", \"llama3\" or \"yarn\"");
}

/* transformers' functions of the scaled types obey partial_rotary_factor in
 * any family, and their heads then don't fit in most. */
static int
check_partial(const cJSON *root, const cJSON *holder, const struct config *c,
              const struct rope_desc *r, struct err *e)
{
    static const char key[] = "partial_rotary_factor";
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(holder, key);

    if (v == NULL) {
        v = cJSON_GetObjectItemCaseSensitive(root, key);
        if (v == NULL || cJSON_IsNull(v))
            return 0;
    }
    if (!cJSON_IsNumber(v) || floor(v->valuedouble * c->head_dim)
                              != 2.0 * r->pairs)
        return key_error(key, v, e, "what makes %u columns of %g turn",
                         2 * r->pairs, c->head_dim);
    return 0;
}

/* Settings of a type of layers know nothing of the top, and their truncate
 * is not read by transformers. */
static int
read_settings(struct settings *s, const struct rope_type *type,
              const cJSON *root, const cJSON *holder, const struct config *c,
              struct err *e)
{
    bool nested = holder != NULL && strncmp(holder->string, "rope_", 5) != 0;
    bool has_original = key_find(type->keys, top_keys[0].name) != NULL;
    int rc = keys_read(s, type->keys, holder, e);

    if (rc == 0 && nested && cJSON_HasObjectItem(holder, "truncate"))
        return err_set(e, ERR_DATA, "truncate, for a type of layers, is not "
                       "implemented");
    if (rc == 0 && has_original && !nested
        && cJSON_HasObjectItem(root, top_keys[0].name))
        rc = keys_read(s, top_keys, root, e); /* goes before the holder's */
    if (s->original < 1)
        s->original = c->max_pos;
    if (s->factor <= 0)
        s->factor = c->max_pos / s->original; /* yarn's null */
    return rc;
}

/* A list of as many numbers as there are pairs; *list = it. */
static int
read_stretch(const cJSON **list, const char *key, const cJSON *holder,
             const struct rope_desc *r, struct err *e)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(holder, key), *by;
    bool ok = cJSON_IsArray(v) && cJSON_GetArraySize(v) == (int)r->pairs;

    cJSON_ArrayForEach(by, v)
        ok = ok && cJSON_IsNumber(by);
    *list = v;
    return ok ? 0 : key_error(key, v, e, "a list of %u numbers", r->pairs);
}

/* What longrope has beside its numbers. transformers reads the original length
 * from the top alone, which has a default. */
static int
read_stretches(struct settings *s, const cJSON *root, const cJSON *holder,
               const struct rope_desc *r, struct err *e)
{
    int rc;

    if (!cJSON_HasObjectItem(root, top_keys[0].name))
        return key_error(top_keys[0].name, NULL, e, "this key beside it");
    rc = read_stretch(&s->stretch, "long_factor", holder, r, e);
    return rc < 0 ? rc : read_stretch(&s->stretch, "short_factor", holder, r,
                                      e);
}

static int
check_finite(const struct rope_desc *r, struct err *e)
{
    bool ok = isfinite(r->factor);

    for (uint32_t j = 0; j < r->pairs; j++)
        ok = ok && isfinite(r->freq[j]);
    return ok ? 0 : err_set(e, ERR_DATA, "rotary settings that give no "
                            "finite frequencies");
}

static int
rope_read(struct rope_desc *r, const struct family *f, const cJSON *root,
          const cJSON *holder, double theta, const struct config *c,
          struct err *e)
{
    uint32_t dim = (uint32_t)(c->head_dim * c->rotary);
    const struct rope_type *type;
    struct settings s = { 0 };
    int rc = find_type(&type, f, holder, e);

    if (rc < 0)
        return err_prefix(e, "%s", holder->string);
    if (dim % 2 != 0)
        return err_set(e, ERR_DATA, "%u rotary columns are not a pair of "
                       "halves", dim);
    r->pairs = dim / 2;
    if (type->fill != fill_default)
        rc = check_partial(root, holder, c, r, e);
    if (rc == 0)
        rc = read_settings(&s, type, root, holder, c, e);
    if (rc == 0 && type->fill == fill_longrope)
        rc = read_stretches(&s, root, holder, r, e);
    if (rc < 0)
        return holder ? err_prefix(e, "%s", holder->string) : rc;
    r->type = type->name;
    r->stretch = s.factor;
    r->original = s.original;
    r->freq = mem_array(r->pairs, sizeof(*r->freq));
    type->fill(r, &s, (float)theta);
    return check_finite(r, e);
}

/* rope_parameters holds settings for types of layers, and nothing else. */
static int
check_nested(const cJSON *root, struct err *e)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(root,
                                                        "rope_parameters");
    const cJSON *scaling = cJSON_GetObjectItemCaseSensitive(root,
                                                            "rope_scaling");
    const cJSON *v;

    cJSON_ArrayForEach(v, all) {
        bool known = strcmp(v->string, "full_attention") == 0
                     || strcmp(v->string, "sliding_attention") == 0;

        if (!known || !(cJSON_IsObject(v) || cJSON_IsNull(v)))
            return key_error("rope_parameters", all, e, "settings of "
                             "full_attention and of sliding_attention");
    }
    if (cJSON_IsObject(scaling) && scaling->child != NULL
        && !cJSON_HasObjectItem(scaling, "rope_type"))
        return err_set(e, ERR_DATA, "rope_scaling: no rope_type");
    return 0;
}

/* The settings of a type of layers, which root then holds by its name; with
 * those of `over` in place of the same ones. */
static cJSON *
nested_settings(cJSON *root, const char *name, const cJSON *over)
{
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(root,
                                                        "rope_parameters");
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(all, name), *v;
    cJSON *made = cJSON_IsObject(own) ? cJSON_Duplicate(own, true)
                                      : cJSON_CreateObject();

    cJSON_ArrayForEach(v, over) {
        cJSON_DeleteItemFromObjectCaseSensitive(made, v->string);
        cJSON_AddItemToObject(made, v->string, cJSON_Duplicate(v, true));
    }
    cJSON_DeleteItemFromObjectCaseSensitive(root, name);
    cJSON_AddItemToObject(root, name, made);
    return made;
}

static int
read_nested(struct rope_desc *r, const struct family *f, cJSON *root,
            const char *name, const cJSON *over, double theta,
            const struct config *c, struct err *e)
{
    const cJSON *own = nested_settings(root, name, over);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(own, "rope_theta");

    if (v != NULL && !(cJSON_IsNumber(v) && v->valuedouble >= 1e-3
                       && v->valuedouble <= 1e15))
        return key_error("rope_theta", v, e, "a number from 0.001 to 1e15");
    return rope_read(r, f, root, own, v ? v->valuedouble : theta, c, e);
}

int
ropes_read(struct rope_desc r[MODEL_ROPES], cJSON *root,
           const struct family *f, const struct config *c, struct err *e)
{
    int rc;

    if (!f->local_rope)
        return rope_read(&r[0], f, root, rope_holder(root), c->theta, c, e);
    rc = check_nested(root, e);
    if (rc == 0)
        rc = read_nested(&r[0], f, root, "full_attention",
                         cJSON_GetObjectItemCaseSensitive(root,
                                                          "rope_scaling"),
                         c->theta, c, e);
    if (rc == 0)
        rc = read_nested(&r[1], f, root, "sliding_attention", NULL,
                         c->local_theta, c, e);
    return rc;
}
