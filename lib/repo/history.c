/* history.c - commit by commit: what changed is found and judged (changed.h),
 * then the edits of its files are made and told. What can't be read loses
 * its commit, or less, and only that.
 */
#include "repo/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/blob.h"
#include "repo/changed.h"
#include "repo/commit.h"
#include "repo/reencode.h"

#define MAX_PATHS 50000000u /* changed paths in one repository */

struct history {
    struct objects *objects;
    const struct history_options *options;
    const struct history_sink *sink;
    struct walk walk;
    struct changed changed;
    struct remerge remerge;
    struct edit_list edits;
    struct buf subject, message;
    uint64_t *author;    /* by walk author: 1 + K */
    uint64_t n_authors, n_paths;
};

/* ---- one file ---- */

static int
make_edits(struct history *h, struct object *const side[2],
           size_t n_lines[2], bool *too_hard, struct err *e)
{
    int rc;

    *too_hard = false;
    h->edits.n = 0;
    n_lines[0] = side[0] ? blob_lines(side[0]) : 0;
    if (!side[0] || !side[1] || side[0] == side[1]) {
        n_lines[1] = side[1] ? blob_lines(side[1]) : 0;
        return 0;
    }
    rc = edit_list_make(&h->edits, side[0]->data, side[0]->size, n_lines[0],
                        side[1]->data, side[1]->size, too_hard, e);
    if (rc == 0) {
        n_lines[1] = h->edits.n_lines[1];
        blob_set_lines(side[1], n_lines[1]);
    }
    return rc;
}

static int
tell_file(struct history *h, struct history_file *f,
          const struct changed_file *file, struct err *e)
{
    struct object *side[2] = {NULL, NULL};
    enum skip skip;
    bool too_hard;
    int s, rc = 0;

    for (s = 0; rc == 0 && s < 2; s++) {
        if (file->use[s])
            rc = blob_read(h->objects, changed_id(&h->changed, file, s),
                           h->options->max_blob, &side[s], &skip, e);
    }
    f->status = file->status;
    changed_paths(&h->changed, file, &f->path, &f->old_path);
    f->side[0] = side[0];
    f->side[1] = side[1];
    if (rc == 0)
        rc = make_edits(h, side, f->n_lines, &too_hard, e);
    if (rc == 0 && too_hard)
        h->changed.skips[SKIP_HARD]++;
    else if (rc == 0)
        rc = h->sink->file(h->sink->ctx, f, e);
    object_drop(side[0]);
    object_drop(side[1]);
    return rc;
}

/* ---- one commit ---- */

/* Finds and reads everything that the commit's files need. */
static int
prepare(struct history *h, uint32_t at, struct err *e)
{
    const struct walk_commit *c = &h->walk.commit[at];
    char hex[OID_HEX + 1];
    struct oid *tree, id;
    const struct walk_commit *parent;
    size_t i, n;
    bool remerge;
    int rc = 0;

    n = h->options->files ? 0 : c->n_parents;
    if (h->options->first_parent && n > 1)
        n = 1; /* a merge stands for all that it brought */
    remerge = n > 1 && h->options->merges == MERGES_REMERGE;
    h->remerge.merge = at;
    tree = mem_array(n ? n : 1, sizeof(*tree));
    for (i = 0; rc == 0 && i < n; i++) {
        parent = &h->walk.commit[h->walk.parent[c->parents + i]];
        tree[i] = parent->tree;
        id = walk_id(&h->walk, h->walk.parent[c->parents + i]);
        if (!(parent->flags & WALK_TREE))
            rc = err_set(e, ERR_DATA, "parent %s is unreadable",
                         oid_hex(&id, hex));
    }
    if (rc == 0)
        rc = changed_find(&h->changed, h->objects, h->options, tree, n,
                          &c->tree, remerge ? &h->remerge : NULL, e);
    free(tree);
    return rc;
}

static int
tell_files(struct history *h, struct history_file *f, struct err *e)
{
    const struct changed_file *file;
    struct object *object;
    struct commit c;
    size_t i;
    int rc;

    rc = objects_read(h->objects, &f->commit, OBJECT_COMMIT,
                      COMMIT_MAX_BYTES, &object, e);
    if (rc < 0)
        return rc;
    rc = commit_parse(&c, object->data, object->size, e);
    if (rc == 0) {
        if (reencode(&h->message, c.encoding, c.message))
            c.message = (struct span){ h->message.data, h->message.len };
        buf_reset(&h->subject);
        commit_subject(&h->subject, c.message);
        f->subject.p = h->subject.data;
        f->subject.n = h->subject.len;
        f->body = commit_body(c.message);
    }
    f->edits = &h->edits;
    for (i = 0; rc == 0 && i < h->changed.n; i++) {
        file = &h->changed.file[i];
        if (file->use[0] || file->use[1])
            rc = tell_file(h, f, file, e);
    }
    object_drop(object);
    return rc;
}

static int
bad_commit(struct history *h, const struct oid *id, struct err *why,
           struct err *e)
{
    char hex[OID_HEX + 1];

    memset(h->changed.skips, 0, sizeof(h->changed.skips));
    err_prefix(why, "commit %s", oid_hex(id, hex));
    return h->sink->bad(h->sink->ctx, id, false, why, e);
}

static int
tell_losses(struct history *h, const struct oid *id, struct err *e)
{
    struct err *why = &h->changed.losses.first;
    char hex[OID_HEX + 1];

    err_prefix(why, "commit %s", oid_hex(id, hex));
    return h->sink->lost(h->sink->ctx, id, h->changed.losses.n, why, e);
}

static int
one_commit(struct history *h, uint64_t ordinal, struct err *e)
{
    uint32_t at = h->walk.order[ordinal];
    const struct walk_commit *c = &h->walk.commit[at];
    struct history_file f = {.ordinal = ordinal};
    struct err why;
    int rc;

    f.commit = walk_id(&h->walk, at);
    f.time = c->time;
    f.author = h->author[c->author] - 1;
    if (c->n_parents > 0)
        f.parent = walk_id(&h->walk, h->walk.parent[c->parents]);
    if (h->objects->watch) {
        h->objects->watch->commit = f.commit;
        h->objects->watch->ordinal = ordinal;
        h->objects->watch->has_commit = 1;
    }
    rc = prepare(h, at, &why);
    h->n_paths += h->changed.diff.n;
    if (rc == 0 && h->n_paths > MAX_PATHS)
        return err_set(e, ERR_LIMIT, "too many changed paths (limit %u)",
                       MAX_PATHS);
    if (rc < 0)
        rc = bad_commit(h, &f.commit, &why, e);
    else
        rc = tell_files(h, &f, e);
    if (rc == 0 && h->changed.skips[SKIP_UNREADABLE] > 0)
        rc = tell_losses(h, &f.commit, e);
    changed_drop(&h->changed);
    remerge_drop(&h->remerge);
    if (rc == 0)
        rc = h->sink->commit(h->sink->ctx, ordinal, h->changed.skips, e);
    return rc;
}

/* ---- all of them ---- */

static bool
selected(const struct history *h, const struct walk_commit *c)
{
    const struct history_options *o = h->options;

    return !(c->flags & (WALK_HIDDEN | WALK_BAD))
           && !(o->merges == MERGES_SKIP && c->n_parents > 1 && !o->files)
           && !(o->has_since && c->time < o->since)
           && !(o->has_until && c->time > o->until);
}

/* Numbers the author of a commit if that is new. */
static int
number_author(struct history *h, const struct walk_commit *c, struct err *e)
{
    const struct map_entry *entry;
    struct span who;

    if ((c->flags & WALK_BAD) || h->author[c->author])
        return 0;
    h->author[c->author] = ++h->n_authors;
    entry = &h->walk.authors.entry[c->author];
    who.p = map_key(&h->walk.authors, c->author);
    who.n = entry->len;
    return h->sink->author(h->sink->ctx, h->n_authors - 1, who, e);
}

static int
walk_bad(void *ctx, const struct oid *id, bool cut, const struct err *why,
         struct err *e)
{
    struct history *h = ctx;

    return h->sink->bad(h->sink->ctx, id, cut, why, e);
}

static int
tell_commits(struct history *h, struct err *e)
{
    const struct walk_commit *c;
    size_t i, first = 0;
    int rc = 0;

    h->author = mem_array(h->walk.authors.n + 1, sizeof(*h->author));
    if (h->options->files && h->walk.n_order > 0)
        first = h->walk.n_order - 1;
    for (i = 0; rc == 0 && i < h->walk.n_order; i++) {
        c = &h->walk.commit[h->walk.order[i]];
        rc = number_author(h, c, e);
        if (rc == 0 && i >= first && i >= h->options->first_ordinal) {
            if (selected(h, c))
                rc = one_commit(h, i, e);
        }
    }
    return rc;
}

static int
find_tips(struct history *h, const struct place *p, struct tips *tips,
          size_t *others, struct err *e)
{
    const struct history_options *o = h->options;
    size_t i, n = 0;
    int rc;

    *others = 0;
    if (o->rev)
        rc = tips_parse(tips, p, h->objects, o->rev, e);
    else
        rc = tips_head(tips, p, &h->walk, o->all, others, e);
    for (i = 0; i < tips->n; i++)
        n += !(tips->tip[i].flags & WALK_HIDDEN);
    if (rc == 0 && o->files && n > 1)
        rc = err_set(e, ERR_DATA, "the files of one revision at a time "
                     "(found %zu)", n);
    return rc;
}

int
history_run(const struct place *p, struct objects *o,
            const struct history_options *options,
            const struct history_sink *sink, struct err *e)
{
    struct history h = {.objects = o, .options = options, .sink = sink};
    const struct remerge_limits limits = {
        .max_blob = options->max_blob, .max_entries = options->max_entries
    };
    struct tips tips = {0};
    size_t others;
    int rc;

    walk_init(&h.walk, o);
    h.walk.first_parent = options->first_parent;
    h.walk.bad = walk_bad;
    h.walk.ctx = &h;
    changed_init(&h.changed, options->keep_going);
    edit_list_init(&h.edits);
    buf_init(&h.subject);
    buf_init(&h.message);
    h.walk.only_tips = options->files;
    rc = find_tips(&h, p, &tips, &others, e);
    if (rc == 0)
        rc = tips_walk(&tips, &h.walk, e);
    if (rc == 0)
        rc = sink->start(sink->ctx, &tips, &h.walk, others, e);
    remerge_init(&h.remerge, o, &h.walk, &limits, &h.changed.losses);
    if (rc == 0)
        rc = tell_commits(&h, e);
    remerge_release(&h.remerge);
    free(h.author);
    walk_release(&h.walk);
    changed_release(&h.changed);
    edit_list_release(&h.edits);
    buf_release(&h.subject);
    buf_release(&h.message);
    tips_release(&tips);
    return rc;
}
