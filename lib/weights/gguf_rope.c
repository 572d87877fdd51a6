/* gguf_rope.c - which part of a head turns, and what its angles are scaled
 * by. */
#include "weights/gguf_rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "weights/gguf_config.h"

#define DIMENSIONS GGUF_ROPE_DIMENSIONS
#define SCALING GGUF_ROPE_SCALING

/* What Llama 3.1 to 3.3 say of their scaling, but for its factor. */
#define LLAMA3_LOW 1.0
#define LLAMA3_HIGH 4.0
#define LLAMA3_ORIGINAL 8192.0
#define LLAMA3_CLOSE 1e-4 /* of a factor: it was computed in floats */

static const char *const names[] = {
    DIMENSIONS, "rope.scale_linear", SCALING "type", SCALING "factor",
    SCALING "original_context_length", SCALING "finetuned",
    GGUF_VALUE_LENGTH,
};

bool
gguf_rope_reads(const char *key, size_t n)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == n && memcmp(names[i], key, n) == 0)
            return true;
    return false;
}

char *
gguf_value_text(char text[GGUF_VALUE], const struct gguf_key *k)
{
    struct gguf_text t;
    double v;

    if (gguf_string(k, &t))
        snprintf(text, GGUF_VALUE, "\"%.*s\"", (int)(t.n < 60 ? t.n : 60),
                 t.p);
    else if (k->is_array)
        snprintf(text, GGUF_VALUE, "%llu of type %s",
                 (unsigned long long)k->n, gguf_type_name(k->type));
    else if (gguf_real(k, 0, &v))
        snprintf(text, GGUF_VALUE, "%.9g", v);
    else
        snprintf(text, GGUF_VALUE, "type %s", gguf_type_name(k->type));
    return text;
}

static int
refuse(const struct gguf *g, const char *name, const struct gguf_key *k,
       const char *expected, struct err *e)
{
    char found[GGUF_VALUE];

    return err_set(e, ERR_DATA, "%s: key %s (found %s, expected %s)", g->path,
                   name, k ? gguf_value_text(found, k) : "nothing", expected);
}

/* The number of that key; *v stays as it is where there is none. */
static int
read_real(double *v, const struct gguf *g, const char *arch, const char *key,
          double least, struct err *e)
{
    char name[GGUF_MAX_NAME], expected[64];
    const struct gguf_key *k;
    double found = 0;

    snprintf(name, sizeof(name), "%s.%s", arch, key);
    k = gguf_find(g, name);
    if (k == NULL)
        return 0;
    snprintf(expected, sizeof(expected), "a number from %g on", least);
    if (k->n != 1 || !gguf_real(k, 0, &found) || !(found >= least)
        || isinf(found))
        return refuse(g, name, k, expected, e);
    *v = found;
    return 0;
}

/* How much of a head turns, as a fraction that gives the same number of
 * columns again when it is multiplied by the head and cut off. */
static int
read_part(struct gguf_rope *r, const struct gguf *g, const char *arch,
          const struct config *c, bool partial, struct err *e)
{
    double turn = c->head_dim;
    int rc = read_real(&turn, g, arch, DIMENSIONS, 1, e);

    if (rc < 0)
        return rc;
    if (turn > c->head_dim || (turn != c->head_dim && !partial))
        return err_set(e, ERR_DATA, "%s: key %s." DIMENSIONS " (found %g, "
                       "expected %g, the columns of a head)", g->path, arch,
                       turn, c->head_dim);
    r->rotary = turn / c->head_dim;
    while (floor(r->rotary * c->head_dim) < turn)
        r->rotary = nextafter(r->rotary, 2);
    return 0;
}

/* As llama.cpp: what has a factor and no type is linear. */
static int
read_scaling(struct gguf_rope *r, const struct gguf *g, const char *arch,
             struct err *e)
{
    struct gguf_text type = { "linear", 6 };
    const struct gguf_key *k;
    char name[GGUF_MAX_NAME];
    int rc = read_real(&r->factor, g, arch, "rope.scale_linear", 0, e);

    if (rc == 0)
        rc = read_real(&r->factor, g, arch, SCALING "factor", 0, e);
    if (rc == 0)
        rc = read_real(&r->original, g, arch,
                       SCALING "original_context_length", 1, e);
    snprintf(name, sizeof(name), "%s." SCALING "type", arch);
    k = gguf_find(g, name);
    if (rc < 0 || (k == NULL && r->factor == 0))
        return rc;
    if (k != NULL && !gguf_string(k, &type))
        type = (struct gguf_text){ "", 0 };
    if (gguf_text_is(type, "yarn"))
        r->type = "yarn";
    else if (gguf_text_is(type, "linear") && r->factor != 0
             && r->factor != 1)
        r->type = "linear";
    else if (!gguf_text_is(type, "none") && !gguf_text_is(type, "linear"))
        rc = refuse(g, name, k, "\"none\", \"linear\" or \"yarn\"", e);
    if (rc == 0 && r->type != NULL && r->factor == 0)
        rc = err_set(e, ERR_DATA, "%s: has no key %s." SCALING "factor",
                     g->path, arch);
    return rc;
}

/* What Llama 3's scaling divides the angle of pair i by. */
static double
llama3_factor(double factor, double theta, double turn, size_t i)
{
    double wavelength = 2 * M_PI * pow(theta, 2 * (double)i / turn);
    double smooth = (LLAMA3_ORIGINAL / wavelength - LLAMA3_LOW)
                    / (LLAMA3_HIGH - LLAMA3_LOW);

    if (wavelength < LLAMA3_ORIGINAL / LLAMA3_HIGH)
        return 1;
    if (wavelength > LLAMA3_ORIGINAL / LLAMA3_LOW)
        return factor;
    return 1 / ((1 - smooth) / factor + smooth);
}

/* A tensor of factors has to be Llama 3's. */
static int
read_factors(struct gguf_rope *r, const struct gguf *g,
             const struct config *c, struct err *e)
{
    const struct gguf_tensor *t = gguf_tensor(g, GGUF_ROPE_FREQS);
    const struct gguf_format *f = t ? gguf_format(t->type) : NULL;
    double turn = c->head_dim * r->rotary;
    const uint8_t *p;
    float x, factor;
    size_t n;

    if (t == NULL)
        return 0;
    n = (size_t)t->ne[0];
    if (f->dtype != DTYPE_F32 || t->n_dims != 1 || n == 0
        || (double)n != floor(turn / 2) || r->type != NULL)
        return err_set(e, ERR_DATA, "%s: tensor " GGUF_ROPE_FREQS ": factors "
                       "that are not Llama 3's are not implemented", g->path);
    p = gguf_data(g, t);
    floats_load(&factor, p + (n - 1) * sizeof(factor), DTYPE_F32, 1);
    for (size_t i = 0; i < n; i++) {
        double want = llama3_factor((double)factor, c->theta, turn, i);

        floats_load(&x, p + i * sizeof(x), DTYPE_F32, 1);
        if (!(fabs((double)x - want) <= LLAMA3_CLOSE * want))
            return err_set(e, ERR_DATA, "%s: tensor " GGUF_ROPE_FREQS ": "
                           "factor %zu is no scaling that is implemented "
                           "(found %g, expected Llama 3's %g)", g->path, i,
                           (double)x, want);
    }
    if (factor == 1)
        return 0;
    *r = (struct gguf_rope){ r->rotary, "llama3", (double)factor,
                             LLAMA3_ORIGINAL, LLAMA3_LOW, LLAMA3_HIGH };
    return 0;
}

int
gguf_rope_read(struct gguf_rope *r, const struct gguf *g, const char *arch,
               const struct config *c, bool partial, struct err *e)
{
    int rc = read_part(r, g, arch, c, partial, e);

    if (rc == 0)
        rc = read_scaling(r, g, arch, e);
    return rc < 0 ? rc : read_factors(r, g, c, e);
}

static void
put(struct buf *b, const char *name, double v)
{
    if (v != 0)
        json_put_number(b, name, v);
}

void
gguf_rope_put(struct buf *b, const struct gguf_rope *r)
{
    if (r->type == NULL)
        return;
    buf_addf(b, ",\n  \"rope_scaling\": {\"rope_type\": \"%s\"", r->type);
    put(b, "factor", r->factor);
    put(b, "low_freq_factor", r->low);
    put(b, "high_freq_factor", r->high);
    if (r->original != 0) /* whole, as transformers wants it written */
        buf_addf(b, ", \"original_max_position_embeddings\": %.0f",
                 r->original);
    buf_addc(b, '}');
}
