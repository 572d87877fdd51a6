/* report.c - what belongs to what, and what the runs are called. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- names ---- */

/* The last `parts` components of a path. */
static const char *
tail(const char *path, size_t parts)
{
    const char *p = path + strlen(path);

    while (p > path) {
        if (p[-1] == '/' && --parts == 0)
            break;
        p--;
    }
    return p;
}

static bool
is_alone(const struct report *r, size_t i, size_t parts)
{
    for (size_t k = 0; k < r->n_runs; k++)
        if (k != i && strcmp(tail(r->run[k].path, parts),
                             tail(r->run[i].path, parts)) == 0)
            return false;
    return true;
}

static void
name_runs(struct report *r)
{
    for (size_t i = 0; i < r->n_runs; i++) {
        size_t parts = 1;

        while (!is_alone(r, i, parts)
               && tail(r->run[i].path, parts) > r->run[i].path)
            parts++;
        r->run[i].name = mem_strdup(tail(r->run[i].path, parts));
    }
}

/* ---- sets ---- */

/* The run's data at that path, if they are there. */
static int
try_set(struct report *r, struct run_facts *run, const char *path,
        const char *id, struct err *e)
{
    struct set_facts s;
    bool found;
    int rc = set_facts_read(&s, path, id, &found, e);

    if (rc < 0 || !found)
        return rc;
    run->data = r->n_sets;
    r->set[r->n_sets++] = s;
    return 0;
}

static int
find_set(struct report *r, struct run_facts *run, const char *const *data,
         size_t n_data, struct err *e)
{
    const char *id = run_text(run, "identity", "data_id", "");
    char hex[ID_HEX + 1], *place[2];
    size_t n_places;
    int rc = 0;

    for (size_t i = 0; i < r->n_sets; i++)
        if (strcmp(id_hex(&r->set[i].manifest.content, hex), id) == 0)
            run->data = i;
    for (size_t i = 0; i < n_data && run->data == NO_SET && rc == 0; i++)
        rc = try_set(r, run, data[i], id, e);
    n_places = run_places(run, "data", place);
    for (size_t i = 0; i < n_places; i++) {
        if (run->data == NO_SET && rc == 0)
            rc = try_set(r, run, place[i], id, e);
        free(place[i]);
    }
    return rc;
}

/* ---- all of it ---- */

static void
join_scores(struct report *r, const size_t *owner)
{
    for (size_t i = 0; i < r->n_scores; i++) {
        struct run_facts *run = owner[i] ? &r->run[owner[i] - 1] : NULL;

        if (!run) {
            r->n_free++;
            continue;
        }
        run->score = mem_grow(run->score,
                              (run->n_scores + 1) * sizeof(*run->score));
        run->score[run->n_scores++] = &r->score[i];
    }
}

int
report_read(struct report *r, char *const *path, size_t n,
            const char *const *data, size_t n_data, struct err *e)
{
    size_t *owner = mem_array(n, sizeof(*owner));
    int rc = 0;

    memset(r, 0, sizeof(*r));
    r->run = mem_array(n, sizeof(*r->run));
    r->score = mem_array(n, sizeof(*r->score));
    r->set = mem_array(n, sizeof(*r->set));
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (score_file_is(path[i])) {
            owner[r->n_scores] = r->n_runs;
            rc = score_file_read(&r->score[r->n_scores++], path[i], e);
        } else {
            rc = run_facts_read(&r->run[r->n_runs++], path[i], e);
        }
    }
    for (size_t i = 0; i < r->n_runs && rc == 0; i++)
        rc = find_set(r, &r->run[i], data, n_data, e);
    if (rc == 0) {
        join_scores(r, owner);
        name_runs(r);
    }
    free(owner);
    return rc;
}

void
report_release(struct report *r)
{
    for (size_t i = 0; i < r->n_runs; i++)
        run_facts_release(&r->run[i]);
    for (size_t i = 0; i < r->n_scores; i++)
        score_file_release(&r->score[i]);
    for (size_t i = 0; i < r->n_sets; i++)
        set_facts_release(&r->set[i]);
    free(r->run);
    free(r->score);
    free(r->set);
    memset(r, 0, sizeof(*r));
}

void
report_warn(const struct report *r)
{
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct metrics *m = &r->run[i].metrics;

        if (m->missing)
            log_warn("%s: no metrics.jsonl", r->run[i].path);
        if (m->bad > 0)
            log_warn("%s/metrics.jsonl: line %llu: no line of metrics (%llu "
                     "of them left out)", r->run[i].path,
                     (unsigned long long)m->first_bad,
                     (unsigned long long)m->bad);
        if (m->cut)
            log_warn("%s/metrics.jsonl: the last line is cut off, and left "
                     "out", r->run[i].path);
        if (r->run[i].data == NO_SET)
            log_warn("%s: the data that it learned from are not where it "
                     "found them; --data tells where they are",
                     r->run[i].path);
    }
}
