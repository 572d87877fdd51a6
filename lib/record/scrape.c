/* scrape.c - checks what the reading child sends, and writes it. */
#include "record/scrape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/word.h"
#include "record/dispatch.h"

#define MAX_DEATHS 100
#define MAX_NAME 1024 /* bytes of each in the provenance */
#define MAX_TIPS 8    /* there, too */

static int
nonsense(struct err *e)
{
    return err_set(e, ERR_DATA, "the reader sent nonsense");
}

static int
compare_tips(const void *a, const void *b)
{
    return memcmp(a, b, DISPATCH_TIP_BYTES);
}

/* The content id of what is read: its tips with their roles, sorted. */
static struct id
tips_id(const void *tips, size_t n)
{
    char *sorted = mem_dup(tips, n);
    struct id id;

    qsort(sorted, n / DISPATCH_TIP_BYTES, DISPATCH_TIP_BYTES,
          compare_tips);
    id = id_of(sorted, n);
    free(sorted);
    return id;
}

/* This program's line, with the repository's name, the licence in its root and
 * the commits that its history is of: ^ID of one whose history is left out.
 */
static void
put_prov(struct stream_head *head, const struct scrape *s,
         const struct dispatch *d)
{
    const char *tip = d->of.start.tips.p;
    size_t i, n = d->of.start.tips.n / DISPATCH_TIP_BYTES;
    char hex[OID_HEX + 1];
    struct oid id;
    struct buf b;

    if (!s->prov)
        return;
    buf_init(&b);
    buf_addstr(&b, s->prov);
    if (d->text.n <= MAX_NAME) {
        buf_addstr(&b, " repo=");
        word_put(&b, d->text.p, d->text.n);
    }
    if (d->of.start.license.n > 0 && d->of.start.license.n <= MAX_NAME) {
        buf_addstr(&b, " license=");
        word_put(&b, d->of.start.license.p, d->of.start.license.n);
    }
    for (i = 0; i < n && i < MAX_TIPS; i++, tip += DISPATCH_TIP_BYTES) {
        memcpy(id.b, tip + sizeof(uint32_t), OID_BYTES);
        buf_addf(&b, "%s%s%s", i ? "," : " revision=",
                 load_u32(tip) & WALK_HIDDEN ? "^" : "", oid_hex(&id, hex));
    }
    if (i < n)
        buf_addf(&b, ",+%zu", n - i);
    stream_head_prov(head, b.data);
    buf_release(&b);
}

static int
take_start(struct scrape *s, const struct dispatch *d, struct err *e)
{
    struct stream_head head;
    bool new = true;
    struct id id;
    int rc;

    s->left_out = false; /* what was bad so far, the walk found */
    if (s->begun)
        return 0;
    if (s->job.history.files)
        progress_begin("files", 0, 0);
    else
        progress_begin("commits", 0, d->of.start.n_commits);
    s->name = mem_dup(d->text.p, d->text.n);
    map_put(&s->names, d->text.p, d->text.n, 0, &new);
    if (!new)
        log_warn("%s: another repository is called %s, too: --name tells "
                 "them apart", s->job.path, s->name);
    if (d->of.start.n_commits == 0)
        log_warn("%s: an empty repository", s->job.path);
    if (d->of.start.replaced)
        log_warn("%s: has grafts or replace references: they are not "
                 "obeyed", s->job.path);
    stream_head_init(&head, "text");
    put_prov(&head, s, d);
    rc = stream_out_begin(s->out, &head, e);
    stream_head_release(&head);
    if (rc < 0)
        return rc;
    id = tips_id(d->of.start.tips.p, d->of.start.tips.n);
    stream_out_input_id(s->out, &id);
    stream_out_skip(s->out, s->program, "no-commit-ref",
                    d->of.start.other_refs);
    s->begun = true;
    s->n_segments++;
    return 0;
}

/* "REPO author_K NAME MAIL", parted by tabs, control bytes as \xHH. */
static int
take_author(struct scrape *s, const struct dispatch *d, struct err *e)
{
    const char *p = d->text.p;
    size_t i, n = d->text.n;
    const char *mail = n ? memrchr(p, '<', n) : NULL;
    uint64_t k = d->of.author.k;

    if (k > s->n_authors)
        return nonsense(e);
    if (k < s->n_authors)
        return 0;
    s->n_authors++;
    if (!s->authors)
        return 0;
    buf_addf(s->authors, "%s\tauthor_%" PRIu64 "\t", s->name, k);
    for (i = 0; i < n; i++) {
        if (p + i == mail) {
            if (i > 0 && p[i - 1] == ' ')
                s->authors->len--;
            buf_addc(s->authors, '\t');
        } else if (!(mail && i == n - 1 && p[i] == '>')) {
            if ((unsigned char)p[i] < 32 || p[i] == 127 || p[i] == '\\')
                buf_addf(s->authors, "\\x%02x", (unsigned char)p[i]);
            else
                buf_addc(s->authors, p[i]);
        }
    }
    buf_addstr(s->authors, mail ? "\n" : "\t\n");
    return 0;
}

/* A record is what it should be, whatever became of the child. */
static int
check_record(struct scrape *s, const char *p, size_t n, struct err *e)
{
    const struct text_field *f;
    int rc;

    rc = text_decode(&s->rec, p, n, e);
    if (rc < 0)
        return rc;
    if (s->rec.kind != (s->job.history.files ? TEXT_FILE : TEXT_COMMIT)
        || !text_get(&s->rec, "path") || !text_get(&s->rec, "commit"))
        return nonsense(e);
    if (s->job.history.files)
        return text_get(&s->rec, "text") ? 0 : nonsense(e);
    f = text_get(&s->rec, "change");
    return f ? change_decode(&s->change, f->data, f->len, e) : nonsense(e);
}

/* The author of the record at hand; files have none. */
static void
note_author(struct scrape *s)
{
    const struct text_field *f = text_get(&s->rec, "author");

    if (f != NULL)
        map_put(&s->by, f->data, f->len, 0, NULL);
}

static int
take_record(struct scrape *s, const char *p, size_t n, struct err *e)
{
    int rc;

    if (!s->begun)
        return nonsense(e);
    if (s->drop > 0) {
        s->drop--;
        return 0;
    }
    rc = check_record(s, p, n, e);
    if (rc == 0)
        rc = stream_out_record(s->out, p, n, e);
    if (rc == 0)
        note_author(s);
    s->since_next++;
    s->n_records++;
    progress_add(s->job.history.files);
    return rc;
}

static int
take_commit(struct scrape *s, const struct dispatch *d, struct err *e)
{
    uint64_t ordinal = d->of.commit.ordinal, n;
    int i;

    if (!s->begun || ordinal < s->next)
        return nonsense(e);
    for (i = 0; i < N_SKIPS; i++) {
        n = d->of.commit.skips[i];
        s->n_skips += n;
        stream_out_skip(s->out, s->program, skip_name((enum skip)i), n);
    }
    if (!s->job.history.files)
        progress_add(ordinal + 1 - s->next);
    s->next = ordinal + 1;
    s->since_next = 0;
    s->drop = 0;
    s->n_commits += !s->left_out;
    s->left_out = false;
    return 0;
}

static int
take_bad(struct scrape *s, const struct dispatch *d)
{
    bool added;

    map_put(&s->bad, d->of.bad.commit, OID_BYTES, 0, &added);
    s->left_out = true;
    if (!added)
        return 0;
    s->n_cut += d->of.bad.cut;
    log_warn("%s: %.*s; left out%s", s->job.path, (int)d->text.n, d->text.p,
             d->of.bad.cut ? ", and so is what came before it" : "");
    return 0;
}

static int
take_lost(struct scrape *s, const struct dispatch *d)
{
    s->n_lost += d->of.lost.n;
    log_warn("%s: %.*s; %" PRIu64 " files or directories of it left out",
             s->job.path, (int)d->text.n, d->text.p, d->of.lost.n);
    return 0;
}

static int
take(struct scrape *s, uint8_t type, const char *p, size_t n, struct err *e)
{
    struct dispatch d;
    int rc = dispatch_decode(&d, type, p, n, e);

    if (rc < 0)
        return rc;
    switch (d.kind) {
    case DISPATCH_START:
        return take_start(s, &d, e);
    case DISPATCH_AUTHOR:
        return take_author(s, &d, e);
    case DISPATCH_RECORD:
        return take_record(s, d.text.p, d.text.n, e);
    case DISPATCH_LOST:
        return take_lost(s, &d);
    case DISPATCH_COMMIT:
        return take_commit(s, &d, e);
    case DISPATCH_BAD:
        return take_bad(s, &d);
    case DISPATCH_ERROR:
        return err_set(e, d.of.error.code, "%.*s", (int)d.text.n, d.text.p);
    }
    return nonsense(e);
}

/* The child died: of an object, which is then not to be touched again? */
static bool
learn(struct scrape *s, const struct child *child, struct err *e)
{
    char hex[OID_HEX + 1];
    bool added = false;

    if (!child->watch->reading || e->code != ERR_DATA)
        return false;
    err_prefix(e, "object %s", oid_hex(&child->watch->object, hex));
    if (s->job.history.keep_going && s->job.poison.n < MAX_DEATHS)
        map_put(&s->job.poison, child->watch->object.b, OID_BYTES, 0, &added);
    return added;
}

/* Runs one child. *again: it died, and another may go on. */
static int
run_child(struct scrape *s, bool *again, struct err *e)
{
    struct child child;
    const char *p;
    uint8_t type;
    size_t n;
    bool died = false;
    int rc;

    *again = false;
    rc = child_start(&child, &s->limits, scribe_run, &s->job, e);
    if (rc < 0)
        return rc;
    while ((rc = child_next(&child, &type, &p, &n, &died, e)) > 0) {
        rc = take(s, type, p, n, e);
        if (rc < 0)
            break;
    }
    if (died)
        *again = learn(s, &child, e);
    s->limits.waited_ms = child.waited_ms;
    s->limits.cpu_ms = child.cpu_ms;
    child_release(&child);
    return rc;
}

static int
run_children(struct scrape *s, struct err *e)
{
    bool again;
    int rc;

    do {
        s->job.history.first_ordinal = s->next;
        s->drop = s->since_next;
        rc = run_child(s, &again, e);
        if (again)
            log_warn("%s: %s; reading on without it", s->job.path, e->text);
    } while (again);
    return rc;
}

/* ---- a repository ---- */

void
scrape_init(struct scrape *s)
{
    memset(s, 0, sizeof(*s));
    map_init(&s->names);
    text_init(&s->rec);
    change_init(&s->change);
}

void
scrape_release(struct scrape *s)
{
    map_release(&s->names);
    text_release(&s->rec);
    change_release(&s->change);
    scrape_init(s);
}

static void
repository_begin(struct scrape *s, const char *path)
{
    s->job.path = path;
    s->limits.waited_ms = s->limits.cpu_ms = 0;
    s->next = s->since_next = s->drop = 0;
    s->begun = s->left_out = false;
    s->n_authors = s->n_commits = s->n_records = s->n_skips = s->n_cut = 0;
    s->n_lost = 0;
    map_init(&s->job.poison);
    map_init(&s->bad);
    map_init(&s->by);
}

static void
repository_end(struct scrape *s)
{
    free(s->name);
    s->name = NULL;
    map_release(&s->job.poison);
    map_release(&s->bad);
    map_release(&s->by);
}

static void
sum_up(const struct scrape *s)
{
    char cut[64] = "", by[64] = "";

    if (!s->job.history.files)
        snprintf(by, sizeof(by), " by %zu authors", s->by.n);
    if (s->n_cut > 0)
        snprintf(cut, sizeof(cut), ", and what came before %" PRIu64
                 " of them", s->n_cut);
    log_info("%s: %" PRIu64 " records of %" PRIu64 " commits%s; %" PRIu64
             " files and %zu commits left out%s", s->job.path, s->n_records,
             s->n_commits, by, s->n_skips, s->bad.n, cut);
}

/* The text, of an err, is about the path, or something below it. */
static bool
names_path(const char *text, const char *path)
{
    struct err named;
    size_t n;

    err_set(&named, ERR_DATA, "%s", path); /* with the same escapes */
    n = strlen(named.text);
    return strncmp(text, named.text, n) == 0
           && (text[n] == ':' || text[n] == '/' || text[n - 1] == '/');
}

static int
one_repository(struct scrape *s, bool *lost, struct err *e)
{
    int rc = run_children(s, e);

    progress_end();

    if (rc < 0) {
        if (!names_path(e->text, s->job.path))
            err_prefix(e, "%s", s->job.path);
        if (!s->job.history.keep_going || (rc != ERR_DATA && rc != ERR_LIMIT
                                   && s->begun) || rc == ERR_USAGE)
            return rc;
        log_error("%s", e->text);
        *lost = true;
        if (!s->begun) {
            s->failed = rc;
            return 0;
        }
        stream_out_skip(s->out, s->program, "rest-of-history", 1);
    }
    stream_out_skip(s->out, s->program, "bad-commit", s->bad.n);
    stream_out_skip(s->out, s->program, "history-cut", s->n_cut);
    *lost = *lost || s->bad.n > 0 || s->n_lost > 0;
    sum_up(s);
    return stream_out_end(s->out, e);
}

int
scrape_repository(struct scrape *s, const char *path, bool *lost,
                  struct err *e)
{
    int rc;

    repository_begin(s, path);
    rc = one_repository(s, lost, e);
    repository_end(s);
    return rc;
}
