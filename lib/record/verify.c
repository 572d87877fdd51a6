/* verify.c - the walks over streams and sets that read all of them. */
#include "record/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/progress.h"
#include "record/look.h"

static void
tell_ledger(const struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++)
        log_debug("ledger: %s left out %" PRIu64 ": %s", l->line[i].program,
                  l->line[i].count, l->line[i].reason);
}

static void
tell_leaks(const struct manifest *m)
{
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < m->n_leaks; i++) {
        buf_reset(&b);
        leaks_say(&b, &m->leak[i],
                  manifest_split(m, m->leak[i].split)->records);
        log_debug("%s: %s", m->leak[i].split, b.data);
    }
    buf_release(&b);
}

/* ---- streams ---- */

/* The records of the segment that has begun. */
static int
verify_records(struct stream_in *in, struct look *d, uint64_t *good,
               struct err *e)
{
    struct stream_rec rec;
    int rc;

    while ((rc = stream_in_record(in, &rec, e)) > 0) {
        if (look_at(d, &in->head, &rec, e) < 0)
            return err_prefix(e, "%s: segment %" PRIu64 ": record %" PRIu64,
                              in->in.name, in->n_segments, rec.index);
        *good += rec.kind == FRAME_RECORDS;
        progress_part(NULL, in->in.at, in->in.size);
        progress_add(1);
    }
    return rc;
}

static int
verify_segments(struct stream_in *in, struct look *d,
                struct stream_report *r, uint64_t *good, struct err *e)
{
    char id[ID_HEX + 1];
    int rc;

    while ((rc = stream_in_segment(in, e)) > 0) {
        rc = verify_records(in, d, good, e);
        if (rc < 0)
            return rc;
        *good += in->trailer.tensors;
        r->tensors += in->trailer.tensors;
        tell_ledger(&in->trailer.ledger);
        log_debug("segment %" PRIu64 ": content %s", in->n_segments,
                  id_hex(&in->trailer.content, id));
    }
    snprintf(r->type, sizeof(r->type), "%s", in->head.type);
    r->segments = in->n_segments;
    r->records = in->n_records;
    return rc;
}

int
stream_verify(struct stream_report *r, const char *path, uint64_t *good,
              struct err *e)
{
    struct stream_in in;
    struct look d;
    int rc;

    memset(r, 0, sizeof(*r));
    *good = 0;
    rc = stream_in_open(&in, path, NULL, e);
    if (rc < 0)
        return rc;
    in.check_content = in.parts = true;
    look_init(&d);
    progress_begin("records", 0, 0);
    rc = verify_segments(&in, &d, r, good, e);
    progress_end();
    look_release(&d);
    stream_in_release(&in);
    return rc;
}

/* ---- sets ---- */

/* Whether a name is that of a file which the manifest names. */
static bool
is_named(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_files; i++)
        if (strcmp(name, m->file[i].name) == 0)
            return true;
    return strcmp(name, m->lengths.name) == 0;
}

/* Says which files of a set's directory are none of its. */
static int
tell_strangers(const struct manifest *m, const char *path, struct err *e)
{
    char **name;
    size_t n;
    int rc = dir_list(&name, &n, path, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (!is_named(m, name[i]) && (strstr(name[i], ".graft")
                                      || strstr(name[i], "lengths-")))
            log_warn("%s/%s: is not in the manifest", path, name[i]);
    dir_list_free(name, n);
    return 0;
}

/* The records, and what is said of them. */
static int
verify_files(const struct manifest *m, const char *path, uint64_t *good,
             struct err *e)
{
    struct lengths lengths;
    struct look d;
    int rc = lengths_open(&lengths, m, path, e);

    if (rc < 0)
        return rc;
    look_init(&d);
    d.set = m;
    d.lengths = &lengths;
    rc = set_verify(m, path, look_at, &d, good, e);
    if (rc == 0)
        rc = lengths_check_splits(&lengths, m, path, e);
    if (rc == 0)
        rc = leaks_check(&d.leaks, m, path, e);
    look_release(&d);
    lengths_release(&lengths);
    return rc;
}

int
record_set_verify(struct manifest *m, const char *path, uint64_t *good,
                  struct err *e)
{
    struct manifest got;
    char id[ID_HEX + 1];
    int rc;

    *good = 0;
    rc = set_manifest(&got, path, NULL, e);
    if (rc < 0)
        return rc;
    rc = verify_files(&got, path, good, e);
    if (rc == 0)
        rc = tell_strangers(&got, path, e);
    if (rc < 0) {
        manifest_release(&got);
        return rc;
    }
    tell_ledger(&got.ledger);
    tell_leaks(&got);
    for (size_t i = 0; i < got.n_sampling; i++)
        log_debug("sampling: %s", got.sampling[i]);
    log_debug("content %s", id_hex(&got.content, id));
    *m = got;
    return 0;
}
