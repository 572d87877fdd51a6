/* scribe.c - a repository's history as frames of encoded records. */
#include "record/scribe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/change.h"
#include "record/text.h"
#include "repo/lang.h"
#include "repo/place.h"

#define CACHE_BYTES (64u << 20)

struct scribe {
    struct sender *s;
    const struct scribe_job *job;
    const char *name;
    bool replaced;      /* place.replaced */
    struct buf change;
    struct change_edit *edit;
    size_t edits_cap;
    struct text_rec rec;
};

static int
send_start(void *ctx, const struct tips *tips, const struct walk *w,
           uint64_t other_refs, struct err *e)
{
    struct scribe *c = ctx;
    size_t i;
    int rc;

    sender_begin(c->s, 'H');
    buf_u64(&c->s->out, w->n_order);
    buf_u64(&c->s->out, other_refs);
    buf_u64(&c->s->out, c->replaced);
    buf_u64(&c->s->out, strlen(c->name));
    buf_addstr(&c->s->out, c->name);
    for (i = 0; i < tips->n; i++) {
        buf_u32(&c->s->out, tips->tip[i].flags);
        buf_add(&c->s->out, tips->tip[i].id.b, OID_BYTES);
    }
    /* Sent at once: with it the segment begins, whatever comes then. */
    rc = sender_end(c->s, e);
    return rc < 0 ? rc : sender_flush(c->s, e);
}

static int
send_author(void *ctx, uint64_t k, struct span who, struct err *e)
{
    struct scribe *c = ctx;

    sender_begin(c->s, 'A');
    buf_u64(&c->s->out, k);
    buf_add(&c->s->out, who.p, who.n);
    return sender_end(c->s, e);
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

static void
build_change(struct scribe *c, const struct history_file *f)
{
    struct change_text before = text_of(f, 0);
    struct change_text after = text_of(f, 1);
    const struct edit_run *run;
    size_t i, n = f->edits->n;
    int s;

    if (n > c->edits_cap) {
        c->edits_cap = 2 * n;
        c->edit = mem_grow(c->edit, c->edits_cap * sizeof(*c->edit));
    }
    for (i = 0; i < n; i++) {
        for (s = 0; s < 2; s++) {
            run = &f->edits->edit[i].side[s];
            c->edit[i].line[s] = run->line;
            c->edit[i].n_lines[s] = run->n_lines;
            c->edit[i].at[s] = run->at;
            c->edit[i].len[s] = run->len;
        }
    }
    buf_reset(&c->change);
    change_build(&c->change, &before, &after, c->edit, n, c->job->context);
}

static void
add_span(struct text_rec *r, const char *name, struct span s)
{
    text_add(r, name, s.p, s.n);
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
    text_add_str(r, "lang", lang_of_path(f->path.p, f->path.n));
    text_add_str(r, "status", status);
    text_add(r, "change", c->change.data, c->change.len);
    if (f->side[0])
        text_add_str(r, "before_id", oid_hex(&f->side[0]->id, before));
    if (f->side[1])
        text_add_str(r, "after_id", oid_hex(&f->side[1]->id, after));
    sender_begin(c->s, 'R');
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
    text_add_str(r, "lang", lang_of_path(f->path.p, f->path.n));
    text_add(r, "text", text.p, text.n);
    sender_begin(c->s, 'R');
    rc = text_encode(&c->s->out, r, e);
    return rc < 0 ? rc : sender_end(c->s, e);
}

static int
send_commit(void *ctx, uint64_t ordinal, const uint64_t skips[N_SKIPS],
            struct err *e)
{
    struct scribe *c = ctx;
    int i;

    sender_begin(c->s, 'C');
    buf_u64(&c->s->out, ordinal);
    for (i = 0; i < N_SKIPS; i++)
        buf_u64(&c->s->out, skips[i]);
    return sender_end(c->s, e);
}

static int
send_bad(void *ctx, const struct oid *commit, bool cut,
         const struct err *why, struct err *e)
{
    struct scribe *c = ctx;

    if (!c->job->keep_going) {
        *e = *why;
        return why->code;
    }
    sender_begin(c->s, 'B');
    buf_add(&c->s->out, commit->b, OID_BYTES);
    buf_u64(&c->s->out, cut);
    buf_addstr(&c->s->out, why->text);
    return sender_end(c->s, e);
}

int
scribe_run(void *ctx, struct sender *s, struct watch *w)
{
    const struct scribe_job *job = ctx;
    struct scribe c = {.s = s, .job = job};
    struct history_sink sink = {
        &c, send_start, send_author,
        job->history.files ? send_file : send_change, send_commit, send_bad
    };
    struct objects objects;
    struct place place;
    struct err e;
    int rc;

    text_init(&c.rec);
    buf_init(&c.change);
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
    if (rc < 0) {
        sender_begin(s, 'E');
        buf_u64(&s->out, (uint64_t)-rc);
        buf_addstr(&s->out, e.text);
        sender_end(s, &e);
    }
    return 0; /* the end of the process frees the rest */
}
