/* rename_edited.c - candidates of both sides, what they are made of being
 * read when a pair's sizes and names let it be possible; then the pairs, best
 * first. Of candidates that are as alike, git's choice depends on where
 * it keeps the best ones: so does this.
 */
#include "repo/rename_edited.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "repo/rename.h"

#define MAX_PAIRS 49000000u
#define MAX_BYTES (256u << 20)
#define MAX_STEPS (1u << 28)
#define BEST 4 /* pairs that are kept of each file that came */
#define SEVERAL UINT64_MAX

/* A file that went or came. */
struct candidate {
    size_t change;
    struct span name; /* the last one */
    bool wanted;
    bool sized, unreadable;
    uint64_t size;
    struct chunks chunks;
};

struct side {
    struct candidate *file;
    size_t n;
};

struct pair {
    size_t gone, come; /* candidates */
    unsigned score;
    bool same_name;
    size_t order; /* of those that are as good: as git has it */
};

struct search {
    struct rename_edited *r;
    struct tree_diff *d;
    struct side gone, come;
    struct pair *pair;
    size_t n, cap;
};

void
rename_edited_release(struct rename_edited *r)
{
    chunker_release(&r->chunker);
}

/* ---- how alike two candidates are ---- */

static const struct oid *
id_of(const struct search *s, const struct candidate *f)
{
    const struct tree_change *c = &s->d->change[f->change];

    return &c->id[c->there[1] ? 1 : 0];
}

static int
lose(struct search *s, struct candidate *f, int rc, const struct err *e)
{
    if (!losses_bear(s->r->losses, rc, e))
        return rc;
    f->unreadable = true;
    return 0;
}

static int
find_size(struct search *s, struct candidate *f, struct err *e)
{
    int type, rc;

    if (f->sized || f->unreadable)
        return 0;
    rc = objects_header(s->r->objects, id_of(s, f), &type, &f->size, e);
    f->sized = rc == 0;
    return rc < 0 ? lose(s, f, rc, e) : 0;
}

static int
find_chunks(struct search *s, struct candidate *f, struct err *e)
{
    struct object *x;
    int rc;

    if (f->chunks.chunk || f->unreadable || s->r->too_hard)
        return 0;
    s->r->n_bytes += f->size;
    s->r->too_hard = s->r->n_bytes > MAX_BYTES;
    if (s->r->too_hard)
        return 0;
    rc = objects_read(s->r->objects, id_of(s, f), OBJECT_BLOB, MAX_BYTES, &x,
                      e);
    if (rc < 0)
        return lose(s, f, rc, e);
    chunks_make(&s->r->chunker, x->data, x->size, &f->chunks);
    object_drop(x);
    return 0;
}

/* *score is 0 where it is not over half, too. */
static int
compare(struct search *s, struct candidate *gone, struct candidate *come,
        unsigned *score, struct err *e)
{
    int rc = find_size(s, gone, e);

    *score = 0;
    if (rc == 0)
        rc = find_size(s, come, e);
    s->r->n_steps++;
    if (rc < 0 || gone->unreadable || come->unreadable
        || gone->size > s->r->max_blob || come->size > s->r->max_blob
        || !similar_sizes(gone->size, come->size))
        return rc;
    rc = find_chunks(s, gone, e);
    if (rc == 0)
        rc = find_chunks(s, come, e);
    if (rc < 0 || !gone->chunks.chunk || !come->chunks.chunk)
        return rc;
    s->r->n_steps += gone->chunks.n + come->chunks.n;
    if (s->r->n_steps > MAX_STEPS)
        s->r->too_hard = true;
    else
        *score = similar_files(&gone->chunks, &come->chunks);
    return 0;
}

static void
join(struct search *s, const struct candidate *gone,
     const struct candidate *come)
{
    s->d->change[gone->change].renamed = come->change + 1;
    s->d->change[come->change].renamed = gone->change + 1;
}

/* ---- the same last name ---- */

/* Each name's candidate, or SEVERAL. */
static void
index_names(const struct side *side, struct map *m)
{
    struct map_entry *entry;
    size_t i;
    bool added;

    map_init(m);
    for (i = 0; i < side->n; i++) {
        entry = map_put(m, side->file[i].name.p, side->file[i].name.n, i,
                        &added);
        if (!added)
            entry->value = SEVERAL;
    }
}

static int
pair_names(struct search *s, struct err *e)
{
    const struct map_entry *entry;
    struct map gone, come;
    struct candidate *f;
    struct span name;
    unsigned score;
    size_t i;
    int rc = 0;

    index_names(&s->gone, &gone);
    index_names(&s->come, &come);
    for (i = 0; rc == 0 && i < s->gone.n && !s->r->too_hard; i++) {
        name = s->gone.file[i].name;
        entry = map_get(&come, name.p, name.n);
        if (!s->gone.file[i].wanted || !entry || entry->value == SEVERAL
            || map_get(&gone, name.p, name.n)->value == SEVERAL)
            continue;
        f = &s->come.file[entry->value];
        rc = compare(s, &s->gone.file[i], f, &score, e);
        if (rc == 0 && score >= SIMILAR_LEAST_SAME_NAME)
            join(s, &s->gone.file[i], f);
    }
    map_release(&gone);
    map_release(&come);
    return rc;
}

/* ---- any name ---- */

/* Below 0 if a is the better one. */
static int
compare_pairs(const struct pair *a, const struct pair *b)
{
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->same_name == b->same_name ? 0 : a->same_name ? -1 : 1;
}

static int
better_first(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = compare_pairs(x, y);

    if (order)
        return order;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* In the first free place, or that of the first of the worst. */
static void
keep_if_better(struct pair best[BEST], size_t *n, const struct pair *pair)
{
    size_t i, worst = 0;

    if (*n < BEST) {
        best[(*n)++] = *pair;
        return;
    }
    for (i = 1; i < BEST; i++) {
        if (compare_pairs(&best[i], &best[worst]) > 0)
            worst = i;
    }
    if (compare_pairs(pair, &best[worst]) < 0)
        best[worst] = *pair;
}

static void
add_pair(struct search *s, struct pair pair)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->pair = mem_grow(s->pair, s->cap * sizeof(*s->pair));
    }
    pair.order = s->n;
    s->pair[s->n++] = pair;
}

static bool
same_span(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool
is_free(const struct search *s, const struct candidate *f)
{
    return !s->d->change[f->change].renamed;
}

/* The best pairs of one file that came. */
static int
match(struct search *s, size_t come, struct err *e)
{
    struct candidate *f = &s->come.file[come];
    struct pair best[BEST], pair = {.come = come};
    size_t i, n = 0;
    int rc = 0;

    for (pair.gone = 0; rc == 0 && pair.gone < s->gone.n; pair.gone++) {
        struct candidate *gone = &s->gone.file[pair.gone];

        rc = compare(s, gone, f, &pair.score, e);
        pair.same_name = same_span(gone->name, f->name);
        keep_if_better(best, &n, &pair);
    }
    for (i = 0; i < n; i++) {
        if (best[i].score >= SIMILAR_LEAST)
            add_pair(s, best[i]);
    }
    chunks_release(&f->chunks);
    return rc;
}

/* Leaves those in a side that may still come into a pair. */
static void
thin_out(const struct search *s, struct side *side, bool all)
{
    size_t i, n = 0;

    for (i = 0; i < side->n; i++) {
        if (is_free(s, &side->file[i]) && (all || side->file[i].wanted))
            side->file[n++] = side->file[i];
        else
            chunks_release(&side->file[i].chunks);
    }
    side->n = n;
}

static int
pair_any(struct search *s, struct err *e)
{
    size_t i;
    int rc = 0;

    thin_out(s, &s->gone, false);
    thin_out(s, &s->come, true);
    if (s->gone.n == 0 || s->come.n > MAX_PAIRS / s->gone.n)
        return 0;
    for (i = 0; rc == 0 && i < s->come.n && !s->r->too_hard; i++)
        rc = match(s, i, e);
    if (rc < 0 || s->n == 0)
        return rc;
    qsort(s->pair, s->n, sizeof(*s->pair), better_first);
    for (i = 0; i < s->n; i++) {
        struct candidate *gone = &s->gone.file[s->pair[i].gone];
        struct candidate *come = &s->come.file[s->pair[i].come];

        if (is_free(s, gone) && is_free(s, come))
            join(s, gone, come);
    }
    return 0;
}

/* ---- candidates ---- */

static void
gather(struct search *s, const bool *wanted, size_t *n_wanted)
{
    const struct tree_diff *d = s->d;
    size_t i;

    s->gone.file = mem_array(d->n, sizeof(*s->gone.file));
    s->come.file = mem_array(d->n, sizeof(*s->come.file));
    for (i = 0; i < d->n; i++) {
        struct candidate f = {
            .change = i, .name = rename_last_name(d, &d->change[i])
        };

        if (rename_gone(&d->change[i])) {
            f.wanted = wanted[i];
            *n_wanted += wanted[i];
            s->gone.file[s->gone.n++] = f;
        } else if (rename_come(&d->change[i])) {
            s->come.file[s->come.n++] = f;
        }
    }
}

static void
forget(struct side *side)
{
    size_t i;

    for (i = 0; i < side->n; i++)
        chunks_release(&side->file[i].chunks);
    free(side->file);
}

int
rename_edited_pair(struct rename_edited *r, struct tree_diff *d,
                   const bool *wanted, struct err *e)
{
    struct search s = {.r = r, .d = d};
    size_t n_wanted = 0;
    int rc = 0;

    gather(&s, wanted, &n_wanted);
    if (n_wanted > 0 && s.come.n > 0) {
        rc = pair_names(&s, e);
        if (rc == 0 && !r->too_hard)
            rc = pair_any(&s, e);
    }
    forget(&s.gone);
    forget(&s.come);
    free(s.pair);
    return rc;
}
