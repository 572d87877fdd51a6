/* strata.c - sorts records into strata, by a name that they have or by when
 * they were made, and tells the losses of each. */
#include "eval/strata.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

#define AGES 4

struct strata {
    struct map names;
    uint32_t *of;        /* the stratum of each record: a name's number */
    int64_t from[AGES], to[AGES]; /* of ages: the first commit and the last */
    bool ages;
};

/* ---- which stratum ---- */

/* Of a path the first folder, with its slash; a file that is in none is in
 * "./". */
static struct tokens_name
top_folder(struct tokens_name path)
{
    const char *slash = path.n > 0 ? memchr(path.p, '/', path.n) : NULL;

    if (path.n == 0)
        return path;
    if (slash == NULL)
        return (struct tokens_name){ "./", 2 };
    return (struct tokens_name){ path.p, (size_t)(slash - path.p) + 1 };
}

static struct tokens_name
name_by(enum score_by by, const struct tokens_origin *o)
{
    if (by == SCORE_BY_PATH)
        return top_folder(o->path);
    return by == SCORE_BY_LANGUAGE ? o->lang : o->repo;
}

static int
sort_by_name(struct strata *t, enum score_by by, struct scores *s,
             struct err *e)
{
    for (uint64_t i = 0; i < s->n; i++) {
        struct tokens_name name;
        struct tokens k;
        int rc = data_split_tokens(s->split, i, &k, e);

        if (rc < 0)
            return rc;
        name = name_by(by, &k.origin);
        t->of[i] = (uint32_t)map_put(&t->names, name.n ? name.p : "", name.n,
                                     t->names.n, NULL)->value;
    }
    return 0;
}

/* A commit of the split. */
struct commit_age {
    int64_t time;
    uint32_t cluster;
};

static int
by_time(const void *a, const void *b)
{
    const struct commit_age *x = a, *y = b;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->cluster < y->cluster ? -1 : x->cluster > y->cluster;
}

/* Quarters of the commits, the oldest first; what has no time is unknown. */
static int
sort_by_age(struct strata *t, struct scores *s, struct err *e)
{
    static const char *const names[] = { "oldest", "older", "newer",
                                         "newest", "" };
    struct commit_age *c = mem_array(s->n, sizeof(*c));
    uint32_t *age = mem_array(s->n, sizeof(*age));
    uint64_t n = 0;
    int rc = 0;

    t->ages = true;
    for (size_t i = 0; i <= AGES; i++)
        map_put(&t->names, names[i], strlen(names[i]), i, NULL);
    for (uint64_t i = 0; i < s->n && rc == 0; i++) {
        struct data_place p;

        rc = data_split_place(s->split, i, &p, e);
        if (rc < 0 || age[s->split->cluster[i]] != 0)
            continue;
        age[s->split->cluster[i]] = 1 + AGES;
        if (p.time != 0)
            c[n++] = (struct commit_age){ p.time, s->split->cluster[i] };
    }
    if (n > 0)
        qsort(c, n, sizeof(*c), by_time);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t quarter = i * AGES / n;

        age[c[i].cluster] = 1 + (uint32_t)quarter;
        if (i == 0 || quarter != (i - 1) * AGES / n)
            t->from[quarter] = c[i].time;
        t->to[quarter] = c[i].time;
    }
    for (uint64_t i = 0; i < s->n; i++)
        t->of[i] = age[s->split->cluster[i]] - 1;
    free(age);
    free(c);
    return rc;
}

/* ---- what is told ---- */

/* The losses of one stratum's records alone. */
static struct record_loss *
part_of(const struct record_loss *r, const struct strata *t, uint32_t which,
        uint64_t n)
{
    struct record_loss *part;

    if (r == NULL)
        return NULL;
    part = mem_array(n, sizeof(*part));
    for (uint64_t i = 0; i < n; i++) {
        if (t->of[i] == which)
            part[i] = r[i];
    }
    return part;
}

static void
put_stratum(struct buf *b, const struct strata *t, uint32_t which,
            const struct scores *s, const char **comma)
{
    const struct map_entry *name = &t->names.entry[which];
    struct measured part = {
        .base = part_of(s->target.base, t, which, s->n),
        .adapter = part_of(s->target.adapter, t, which, s->n),
        .compare = part_of(s->target.compare, t, which, s->n)
    };
    struct mean_loss mean = mean_of(part.base, s->split->cluster, s->n);

    if (mean.tokens > 0) {
        buf_addf(b, "%s{\"name\": ", *comma);
        if (name->len > 0)
            json_put_string(b, map_key(&t->names, which), name->len);
        else
            buf_addstr(b, "null");
        if (t->ages && which < AGES)
            buf_addf(b, ", \"from\": %lld, \"to\": %lld",
                     (long long)t->from[which], (long long)t->to[which]);
        buf_addstr(b, ", ");
        scores_put_part(b, s, mean, &part);
        buf_addc(b, '}');
        *comma = ", ";
    }
    free(part.base);
    free(part.adapter);
    free(part.compare);
}

/* A stratum, and by what it is sorted. */
struct rank {
    uint64_t tokens;
    uint32_t which;
};

static int
by_tokens(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->tokens != y->tokens)
        return x->tokens > y->tokens ? -1 : 1;
    return x->which < y->which ? -1 : x->which > y->which;
}

/* Names by their tokens, the most first; ages as they are. */
static void
put_strata(struct buf *b, const struct strata *t, const struct scores *s)
{
    size_t n = t->names.n;
    struct rank *w = mem_array(n, sizeof(*w));
    const char *comma = "";

    for (uint32_t k = 0; k < n; k++)
        w[k].which = k;
    for (uint64_t i = 0; i < s->n && !t->ages; i++)
        w[t->of[i]].tokens += s->target.base[i].n;
    if (n > 0)
        qsort(w, n, sizeof(*w), by_tokens);
    for (size_t k = 0; k < n; k++)
        put_stratum(b, t, w[k].which, s, &comma);
    free(w);
}

int
strata_put(struct buf *b, const struct score_opts *o, struct scores *s,
           struct err *e)
{
    static const char *const names[] = { "language", "repository", "path",
                                         "age" };
    const char *comma = "";
    int rc = 0;

    buf_addstr(b, ", \"strata\": {");
    for (int by = 0; by < SCORE_BYS && rc == 0; by++) {
        struct strata t = { .of = NULL };

        if ((o->by & 1u << by) == 0)
            continue;
        map_init(&t.names);
        t.of = mem_array(s->n, sizeof(*t.of));
        rc = by == SCORE_BY_AGE ? sort_by_age(&t, s, e)
                                : sort_by_name(&t, by, s, e);
        if (rc == 0) {
            buf_addf(b, "%s\"%s\": [", comma, names[by]);
            put_strata(b, &t, s);
            buf_addc(b, ']');
            comma = ", ";
        }
        free(t.of);
        map_release(&t.names);
    }
    buf_addc(b, '}');
    return rc;
}
