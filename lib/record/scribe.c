/* scribe.c - a repository's history as frames of encoded records. */
#include "record/scribe.h"

#include <inttypes.h>
#include <stdio.h>

#include "record/change.h"
#include "record/dispatch.h"
#include "record/text.h"
#include "record/tip_facts.h"
#include "repo/lang.h"
#include "repo/place.h"
#include "text/author_kind.h"
#include "text/source_kind.h"

#define CACHE_BYTES (64u << 20)

struct scribe {
    struct sender *s;
    const struct scribe_job *job;
    const char *name;
    bool replaced;      /* place.replaced */
    struct objects *objects;
    struct tip_facts facts;
    struct buf bots;    /* of each author: 1 for a program */
    struct buf change, attributes;
    struct text_rec rec;
};

/* The first tip: HEAD, or that of the range; NULL without one. */
static const struct oid *
first_tip(const struct tips *tips)
{
    for (size_t i = 0; i < tips->n; i++)
        if (!(tips->tip[i].flags & WALK_HIDDEN))
            return &tips->tip[i].id;
    return NULL;
}

/* The facts come first, for the licence; where they can't be read, that is
 * said after the start. */
static int
send_start(void *ctx, const struct tips *tips, const struct walk *w,
           uint64_t other_refs, struct err *e)
{
    struct scribe *c = ctx;
    const struct history_options *h = &c->job->history;
    const struct oid *tip = first_tip(tips);
    const char *license = NULL;
    struct err first, why;
    uint64_t lost = 0;
    int rc, read = 0;

    if (tip)
        read = tip_facts_read(&c->facts, c->objects, tip, h->max_entries,
                              h->keep_going, &lost, &first, &why);
    if (tip && read == 0)
        license = tip_facts_license(&c->facts, "", 0, "", 0);
    rc = dispatch_start(c->s, w->n_order, other_refs, c->replaced, c->name,
                        license, tips, e);
    if (rc == 0 && read < 0) {
        *e = why;
        return read;
    }
    if (rc == 0 && lost > 0)
        rc = dispatch_lost(c->s, tip, lost, first.text, e);
    return rc;
}

static int
send_author(void *ctx, uint64_t k, struct span who, struct err *e)
{
    struct scribe *c = ctx;

    while (c->bots.len <= k)
        buf_addc(&c->bots, 0);
    c->bots.data[k] = author_is_bot(who.p, who.n);
    return dispatch_author(c->s, k, who, e);
}

static struct change_text
text_of(const struct history_file *f, int side)
{
    struct change_text t = {NULL, 0, f->n_lines[side]};

    if (f->side[side]) {
        t.p = f->side[side]->data ? f->side[side]->data : "";
        t.n = f->side[side]->size;
    }
    return t;
}

/* What it is after the change, or was before it went. */
static const char *
file_lang(const struct history_file *f)
{
    struct change_text text = text_of(f, f->side[1] ? 1 : 0);

    return lang_of(f->path.p, f->path.n, text.p, text.n);
}

static void
build_change(struct scribe *c, const struct history_file *f)
{
    struct change_text before = text_of(f, 0);
    struct change_text after = text_of(f, 1);

    buf_reset(&c->change);
    change_build(&c->change, &before, &after, f->edits->edit, f->edits->n,
                 c->job->context);
}

static void
add_span(struct text_rec *r, const char *name, struct span s)
{
    text_add(r, name, s.p, s.n);
}

/* What is known of the file beyond what the record shows: of the side that
 * file_lang looks at. */
static void
add_facts(struct scribe *c, const struct history_file *f)
{
    int side = f->side[1] ? 1 : 0;
    struct change_text t = text_of(f, side);
    const char *p = t.p ? t.p : "", *path = f->path.p, *mark;
    size_t n_path = f->path.n;
    uint64_t lines = t.n_lines ? t.n_lines : 1;

    mark = source_generated_mark(path, n_path, p, t.n);
    if (!mark && t.n > 0 && source_minified_lines(path, n_path, t.n, lines))
        mark = "minified";
    if (mark)
        text_add_str(&c->rec, "generated", mark);
    buf_reset(&c->attributes);
    attributes_of(&c->facts.attributes, path, n_path, &c->attributes);
    if (c->attributes.len > 0)
        text_add(&c->rec, "attributes", c->attributes.data,
                 c->attributes.len);
    mark = tip_facts_license(&c->facts, path, n_path, p, t.n);
    if (mark)
        text_add_str(&c->rec, "license", mark);
}

static int
send_change(void *ctx, const struct history_file *f, struct err *e)
{
    struct scribe *c = ctx;
    struct text_rec *r = &c->rec;
    char ordinal[24], time[24], author[40], status[2] = {f->status, '\0'};
    char commit[OID_HEX + 1], parent[OID_HEX + 1];
    char before[OID_HEX + 1], after[OID_HEX + 1];
    int rc;

    snprintf(ordinal, sizeof(ordinal), "%" PRIu64, f->ordinal);
    snprintf(time, sizeof(time), "%" PRId64, f->time);
    snprintf(author, sizeof(author), "author_%" PRIu64, f->author);
    build_change(c, f);
    text_begin(r, TEXT_COMMIT);
    text_add_str(r, "repo", c->name);
    text_add_str(r, "ordinal", ordinal);
    text_add_str(r, "commit", oid_hex(&f->commit, commit));
    if (!oid_zero(&f->parent))
        text_add_str(r, "parent", oid_hex(&f->parent, parent));
    text_add_str(r, "time", time);
    text_add_str(r, "author", author);
    add_span(r, "subject", f->subject);
    add_span(r, "body", f->body);
    add_span(r, "path", f->path);
    add_span(r, "old_path", f->old_path);
    text_add_str(r, "lang", file_lang(f));
    text_add_str(r, "status", status);
    text_add(r, "change", c->change.data, c->change.len);
    if (f->side[0])
        text_add_str(r, "before_id", oid_hex(&f->side[0]->id, before));
    if (f->side[1])
        text_add_str(r, "after_id", oid_hex(&f->side[1]->id, after));
    if (f->author < c->bots.len && c->bots.data[f->author])
        text_add_str(r, "author_type", "Bot");
    add_facts(c, f);
    dispatch_record_begin(c->s);
    rc = text_encode(&c->s->out, r, e);
    return rc < 0 ? rc : sender_end(c->s, e);
}

static int
send_file(void *ctx, const struct history_file *f, struct err *e)
{
    struct scribe *c = ctx;
    struct text_rec *r = &c->rec;
    struct change_text text = text_of(f, 1);
    char commit[OID_HEX + 1], time[24];
    int rc;

    snprintf(time, sizeof(time), "%" PRId64, f->time);
    text_begin(r, TEXT_FILE);
    text_add_str(r, "repo", c->name);
    text_add_str(r, "commit", oid_hex(&f->commit, commit));
    text_add_str(r, "time", time);
    add_span(r, "path", f->path);
    text_add_str(r, "lang", file_lang(f));
    text_add(r, "text", text.p, text.n);
    add_facts(c, f);
    dispatch_record_begin(c->s);
    rc = text_encode(&c->s->out, r, e);
    return rc < 0 ? rc : sender_end(c->s, e);
}

static int
send_commit(void *ctx, uint64_t ordinal, const uint64_t skips[N_SKIPS],
            struct err *e)
{
    struct scribe *c = ctx;

    return dispatch_commit(c->s, ordinal, skips, e);
}

static int
send_bad(void *ctx, const struct oid *commit, bool cut,
         const struct err *why, struct err *e)
{
    struct scribe *c = ctx;

    if (!c->job->history.keep_going) {
        *e = *why;
        return why->code;
    }
    return dispatch_bad(c->s, commit, cut, why->text, e);
}

static int
send_lost(void *ctx, const struct oid *commit, uint64_t n,
          const struct err *why, struct err *e)
{
    struct scribe *c = ctx;

    return dispatch_lost(c->s, commit, n, why->text, e);
}

int
scribe_run(void *ctx, struct sender *s, struct watch *w)
{
    const struct scribe_job *job = ctx;
    struct scribe c = {.s = s, .job = job};
    struct history_sink sink = {
        &c, send_start, send_author,
        job->history.files ? send_file : send_change, send_lost, send_commit,
        send_bad
    };
    struct objects objects;
    struct place place;
    struct err e, why;
    int rc;

    text_init(&c.rec);
    buf_init(&c.change);
    buf_init(&c.attributes);
    buf_init(&c.bots);
    tip_facts_init(&c.facts);
    c.objects = &objects;
    rc = place_open(&place, job->path, job->trust, job->trust_owner, &e);
    if (rc == 0) {
        c.name = job->name ? job->name : place.name;
        c.replaced = place.replaced;
        rc = objects_open(&objects, place.objects, CACHE_BYTES, job->trust,
                          &e);
        objects.fetch_into = place.partial ? place.common : NULL;
        objects.watch = w;
        objects.poison = &job->poison;
        if (rc == 0)
            rc = history_run(&place, &objects, &job->history, &sink, &e);
    }
    if (rc < 0)
        dispatch_error(s, &e, &why);
    return 0; /* the end of the process frees the rest */
}
