/* leaks.c - the numbers of train's records, sorted, and a search among them
 * for each record that is held out.
 */
#include "record/leaks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
leaks_add(struct leaks *l, const struct same *same)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 1024;
        l->record = mem_grow(l->record, l->cap * sizeof(*l->record));
    }
    l->record[l->n++] = *same;
    l->known |= same->edit || same->content || same->commit;
}

void
leaks_release(struct leaks *l)
{
    free(l->record);
    memset(l, 0, sizeof(*l));
}

/* ---- counting ---- */

/* One of the three numbers of a record. */
static uint64_t
number(const struct leaks *l, uint64_t record, size_t which)
{
    const char *p = (const char *)&l->record[record];
    uint64_t v;

    memcpy(&v, p + which, sizeof(v));
    return v;
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The numbers of train's records but 0, sorted, into out; how many. */
static size_t
of_train(const struct leaks *l, const struct set_split *train, size_t which,
         uint64_t *out)
{
    size_t n = 0;

    for (size_t k = 0; train && k < train->n; k++) {
        for (uint64_t i = train->range[k].begin; i < train->range[k].end; i++) {
            out[n] = number(l, i, which);
            n += out[n] > 0;
        }
    }
    qsort(out, n, sizeof(*out), by_value);
    return n;
}

/* How many records of the split have one of these n numbers. */
static uint64_t
in_train(const struct leaks *l, const struct set_split *s, size_t which,
         const uint64_t *train, size_t n)
{
    uint64_t found = 0;

    for (size_t k = 0; k < s->n; k++) {
        for (uint64_t i = s->range[k].begin; i < s->range[k].end; i++) {
            uint64_t v = number(l, i, which);

            found += bsearch(&v, train, n, sizeof(v), by_value) != NULL;
        }
    }
    return found;
}

/* Of the splits of m, into count[], one for each of m's splits. */
static void
count_all(const struct leaks *l, const struct manifest *m,
          struct set_leak *count)
{
    static const struct {
        size_t which, into;
    } kinds[] = {
        { offsetof(struct same, edit), offsetof(struct set_leak, edit) },
        { offsetof(struct same, content),
          offsetof(struct set_leak, content) },
        { offsetof(struct same, commit), offsetof(struct set_leak, commit) },
    };
    const struct set_split *train = manifest_split(m, "train");
    uint64_t *values = mem_array((train ? train->records : 0) + 1,
                                 sizeof(*values)), found;
    size_t n;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        n = of_train(l, train, kinds[i].which, values);
        for (size_t k = 0; k < m->n_splits; k++) {
            found = &m->split[k] == train ? 0 :
                    in_train(l, &m->split[k], kinds[i].which, values, n);
            memcpy((char *)&count[k] + kinds[i].into, &found, sizeof(found));
        }
    }
    free(values);
}

void
leaks_count(const struct leaks *l, struct manifest *m)
{
    struct set_leak *count = mem_array(m->n_splits + 1, sizeof(*count));

    if (l->known)
        count_all(l, m, count);
    for (size_t k = 0; l->known && k < m->n_splits; k++)
        if (strcmp(m->split[k].name, "train") != 0)
            manifest_add_leak(m, m->split[k].name, count[k].edit,
                              count[k].content, count[k].commit);
    free(count);
}

/* ---- what was counted ---- */

static int
check_one(const struct set_leak *told, const struct set_leak *found,
          const char *path, struct err *e)
{
    if (told->edit == found->edit && told->content == found->content
        && told->commit == found->commit)
        return 0;
    return err_set(e, ERR_DATA, "%s: leaks of split %s: edit, content, commit "
                   "(found %" PRIu64 ", %" PRIu64 ", %" PRIu64 " among its "
                   "records, expected %" PRIu64 ", %" PRIu64 ", %" PRIu64 ")",
                   path, told->split, found->edit, found->content,
                   found->commit, told->edit, told->content, told->commit);
}

int
leaks_check(const struct leaks *l, const struct manifest *m, const char *path,
            struct err *e)
{
    struct set_leak *count;
    int rc = 0;

    if (m->n_leaks == 0 || l->n != m->records)
        return 0;
    count = mem_array(m->n_splits + 1, sizeof(*count));
    count_all(l, m, count);
    for (size_t i = 0; rc == 0 && i < m->n_leaks; i++) {
        const struct set_split *s = manifest_split(m, m->leak[i].split);

        rc = check_one(&m->leak[i], &count[s - m->split], path, e);
    }
    free(count);
    return rc;
}

static double
percent(uint64_t n, uint64_t records)
{
    return records > 0 ? 100.0 * (double)n / (double)records : 0;
}

void
leaks_say(struct buf *b, const struct set_leak *l, uint64_t records)
{
    buf_addf(b, "of %" PRIu64 " records %" PRIu64 " (%.1f%%) repeat an edit "
             "of train, %" PRIu64 " (%.1f%%) leave a file as one there does, "
             "%" PRIu64 " (%.1f%%) are of a commit there", records, l->edit,
             percent(l->edit, records), l->content,
             percent(l->content, records), l->commit,
             percent(l->commit, records));
}
