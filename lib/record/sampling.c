/* sampling.c - rules of sampling: read, applied, and held against a set. */
#include "record/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DAY 86400.0

static int
bad_rule(const char *where, const char *rule, int code, struct err *e)
{
    return err_set(e, code, "%s: no such rule (found '%s', expected "
                   "lang:NAME=FACTOR, repo:NAME=FACTOR, half-life=DAYS, "
                   "quality, curriculum=length or curriculum=age)", where,
                   rule);
}

static int
twice(const char *where, const char *rule, int code, struct err *e)
{
    return err_set(e, code, "%s: '%s': there is a rule for that already",
                   where, rule);
}

/* A number without sign, all of the text. */
static bool
read_number(const char *text, double *out)
{
    char *end;

    if (strchr("+-eE", text[0])
        || text[strspn(text, "0123456789.eE+-")] != '\0')
        return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out)
           && *out <= SAMPLING_MAX_FACTOR;
}

static int
bad_number(const char *where, const char *rule, const char *what, int code,
           struct err *e)
{
    return err_set(e, code, "%s: '%s': bad number (expected %s to %g)", where,
                   rule, what, SAMPLING_MAX_FACTOR);
}

static int
add_factor(struct sampling *s, const char *rule, const char *where, int code,
           struct err *e)
{
    const char *equals = strrchr(rule, '=');
    struct sampling_factor f = { .repo = rule[0] == 'r', .name = rule + 5 };

    if (!equals || equals < f.name)
        return bad_rule(where, rule, code, e);
    f.n = (size_t)(equals - f.name);
    if (!read_number(equals + 1, &f.factor))
        return bad_number(where, rule, "0", code, e);
    for (size_t i = 0; i < s->n; i++)
        if (s->factor[i].repo == f.repo && s->factor[i].n == f.n
            && memcmp(s->factor[i].name, f.name, f.n) == 0)
            return twice(where, rule, code, e);
    s->factor = mem_grow(s->factor, (s->n + 1) * sizeof(f));
    s->factor[s->n++] = f;
    return 0;
}

static int
set_curriculum(struct sampling *s, const char *rule, const char *where,
               int code, struct err *e)
{
    const char *by = strchr(rule, '=') + 1;
    bool length = strcmp(by, "length") == 0;

    if (!length && strcmp(by, "age") != 0)
        return bad_rule(where, rule, code, e);
    if (s->curriculum != CURRICULUM_NONE)
        return twice(where, rule, code, e);
    s->curriculum = length ? CURRICULUM_LENGTH : CURRICULUM_AGE;
    return 0;
}

static int
add_rule(struct sampling *s, const char *rule, const char *where, int code,
         struct err *e)
{
    if (strncmp(rule, "lang:", 5) == 0 || strncmp(rule, "repo:", 5) == 0)
        return add_factor(s, rule, where, code, e);
    if (strncmp(rule, "curriculum=", 11) == 0)
        return set_curriculum(s, rule, where, code, e);
    if (strcmp(rule, "quality") == 0) {
        if (s->quality)
            return twice(where, rule, code, e);
        s->quality = true;
        return 0;
    }
    if (strncmp(rule, "half-life=", 10) != 0)
        return bad_rule(where, rule, code, e);
    if (s->half_life > 0)
        return twice(where, rule, code, e);
    if (!read_number(rule + 10, &s->half_life) || s->half_life <= 0)
        return bad_number(where, rule, "above 0", code, e);
    return 0;
}

int
sampling_parse(struct sampling *s, const char *const *rule, size_t n,
               const char *where, int code, struct err *e)
{
    int rc = 0;

    memset(s, 0, sizeof(*s));
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_rule(s, rule[i], where, code, e);
    if (rc < 0)
        sampling_release(s);
    return rc;
}

void
sampling_release(struct sampling *s)
{
    free(s->factor);
    free(s->weight);
    memset(s, 0, sizeof(*s));
}

/* ---- weights ---- */

int
sampling_weight(struct sampling *s, const struct tokens_origin *o,
                double *weight, struct err *e)
{
    double w = 1;

    for (size_t i = 0; i < s->n; i++) {
        struct sampling_factor *f = &s->factor[i];
        const struct tokens_name *name = f->repo ? &o->repo : &o->lang;

        if (name->n != f->n
            || (f->n > 0 && memcmp(name->p, f->name, f->n) != 0))
            continue;
        w *= f->factor;
        f->used++;
    }
    if (s->quality && o->quality < 0)
        return err_set(e, ERR_DATA, "quality %ld is no weight to sample by "
                       "(expected 0, for none, or more)", (long)o->quality);
    if (s->quality && o->quality > 0)
        w *= o->quality;
    *weight = w;
    return 0;
}

double
sampling_age(const struct sampling *s, int64_t time, int64_t newest)
{
    double age = (double)newest - (double)time;

    if (s->half_life <= 0 || time == 0 || age <= 0)
        return 1;
    return exp2(-age / (s->half_life * DAY));
}

int
sampling_see(struct sampling *s, const struct tokens_origin *o,
             struct err *e)
{
    if (s->n_seen == s->cap_seen) {
        s->cap_seen = s->cap_seen ? 2 * s->cap_seen : 1024;
        s->weight = mem_grow(s->weight, s->cap_seen * sizeof(*s->weight));
    }
    return sampling_weight(s, o, &s->weight[s->n_seen++], e);
}

int
sampling_check(const struct sampling *s, const struct manifest *m,
               struct err *e)
{
    const struct set_split *train = manifest_split(m, "train");
    double sum = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->factor[i].used == 0)
            return err_set(e, ERR_USAGE, "--sample: no record is of %s '%.*s'",
                           s->factor[i].repo ? "repository" : "language",
                           (int)s->factor[i].n, s->factor[i].name);
    for (size_t k = 0; train && k < train->n; k++)
        for (uint64_t i = train->range[k].begin; i < train->range[k].end; i++)
            sum += s->weight[i];
    if (train && sum <= 0)
        return err_set(e, ERR_USAGE, "--sample: every record to train on has "
                       "weight 0");
    return 0;
}
