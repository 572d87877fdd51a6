/* gitscrape.c - turn git histories into a text stream.
 *
 * A child process per repository reads and compares (lib/repo) and sends
 * encoded records; this process checks and writes them. The child may die of
 * a damaged object: with --keep-going it is started again where it stopped,
 * and told not to touch that object.
 *
 * Frames from the child: 'H' a walk was made, 'A' an author, 'R' a record,
 * 'C' a commit is complete, 'B' a commit is unreadable, 'E' the end by an
 * error. Numbers are u64, little-endian.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "record/change.h"
#include "record/text.h"
#include "repo/child.h"
#include "repo/date.h"
#include "repo/history.h"
#include "repo/lang.h"
#include "repo/place.h"
#include "stream/stream.h"
#include "tool/tool.h"

#define CACHE_BYTES (64u << 20)
#define MAX_DEATHS 100

struct options {
    const char *rev, *since, *until, *context, *authors, *name;
    struct opt_list path;
    bool all, first_parent, trust_owner, trust, keep_going;
    int kind;
    uint64_t max_blob, max_entries, max_time, max_stall, max_memory;
};

#define AT(x) offsetof(struct options, x)
static const struct opt opts[] = {
    {"rev", 0, OPT_STRING, true, AT(rev), "RANGE",
     "commits of A, A..B, A...B or ^A B, as git rev-list means them", NULL,
     0, 0, NULL},
    {"all", 0, OPT_FLAG, true, AT(all), NULL,
     "HEAD and every reference", NULL, 0, 0, NULL},
    {"first-parent", 0, OPT_FLAG, true, AT(first_parent), NULL,
     "follow only the first parent of a merge", NULL, 0, 0, NULL},
    {"since", 0, OPT_STRING, true, AT(since), "DATE",
     "only commits at that time or later", NULL, 0, 0, NULL},
    {"until", 0, OPT_STRING, true, AT(until), "DATE",
     "only commits at that time or earlier", NULL, 0, 0, NULL},
    {"path", 0, OPT_LIST, true, AT(path), "GLOB",
     "only paths that match one of these", NULL, 0, 0, NULL},
    {"kind", 0, OPT_CHOICE, true, AT(kind), NULL,
     "changes of files, or the files at the revision", "commit", 0, 0,
     "commit|file"},
    {"context", 0, OPT_STRING, true, AT(context), "N",
     "kept lines around each edit, or all", "16", 0, 0, NULL},
    {"max-blob", 0, OPT_SIZE, true, AT(max_blob), "SIZE",
     "leave out files over this many bytes", "8M", 1, 28 << 20, NULL},
    {"max-entries", 0, OPT_U64, true, AT(max_entries), "N",
     "tree entries that one commit may make be read", "2000000", 1, 0x1p40,
     NULL},
    {"name", 0, OPT_STRING, true, AT(name), "NAME",
     "the repository's name in the records; its directory's by default",
     NULL, 0, 0, NULL},
    {"authors", 0, OPT_STRING, false, AT(authors), "FILE",
     "write who each author_K is, readable by you alone", NULL, 0, 0,
     NULL},
    {"keep-going", 'k', OPT_FLAG, true, AT(keep_going), NULL,
     "leave out unreadable commits and repositories, then exit 3", NULL, 0,
     0, NULL},
    {"trust-owner", 0, OPT_FLAG, false, AT(trust_owner), NULL,
     "read repositories that belong to another user", NULL, 0, 0, NULL},
    {"trust", 0, OPT_FLAG, false, AT(trust), NULL,
     "also follow what points out of the repository", NULL, 0, 0, NULL},
    {"max-time", 0, OPT_U64, false, AT(max_time), "SECONDS",
     "time that reading one repository may take", "7200", 1, 1e9, NULL},
    {"max-stall", 0, OPT_U64, false, AT(max_stall), "SECONDS",
     "time that reading one object may take", "30", 1, 1e9, NULL},
    {"max-memory", 0, OPT_SIZE, false, AT(max_memory), "SIZE",
     "address space of the reading process", "4G", 64 << 20, 0x1p50, NULL},
    {NULL, 0, 0, false, 0, NULL, NULL, NULL, 0, 0, NULL}
};

static const struct tool tool = {
    "gitscrape", "turn git histories into a text stream", "REPO...", 1,
    SIZE_MAX, opts, .exits = "3 4 5"
};

/* One repository being read. */
struct job {
    const struct options *o;
    const char *path;
    struct history_options history;
    size_t context;
    struct map poison;        /* objects that a child died of */
    uint64_t next;            /* ordinal after the last complete commit */
    uint64_t since_next;      /* records written of the commit after that */

    /* the parent's */
    struct stream_out *out;
    char *prov;
    struct buf *authors;
    char *name;
    bool begun;
    uint64_t n_authors, n_bad, n_commits, n_records, n_skips;
    bool left_out;            /* the commit at hand */
    uint64_t drop;            /* records to come that are written already */
    struct map bad;           /* commits reported */
    struct text_rec rec;
    struct change change;
};

/* ---- in the child ---- */

struct scribe {
    struct sender *s;
    const struct job *job;
    const char *name;
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

    sender_begin(c->s, 'H');
    buf_u64(&c->s->out, w->n_order);
    buf_u64(&c->s->out, other_refs);
    buf_u64(&c->s->out, strlen(c->name));
    buf_addstr(&c->s->out, c->name);
    for (i = 0; i < tips->n; i++) {
        buf_u32(&c->s->out, tips->tip[i].flags);
        buf_add(&c->s->out, tips->tip[i].id.b, OID_BYTES);
    }
    return sender_end(c->s, e);
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
send_bad(void *ctx, const struct oid *commit, const struct err *why,
         struct err *e)
{
    struct scribe *c = ctx;

    if (!c->job->o->keep_going) {
        *e = *why;
        return why->code;
    }
    sender_begin(c->s, 'B');
    buf_add(&c->s->out, commit->b, OID_BYTES);
    buf_addstr(&c->s->out, why->text);
    return sender_end(c->s, e);
}

/* The child. Failures go to the parent as a frame. */
static int
read_repository(void *ctx, struct sender *s, struct watch *w)
{
    const struct job *job = ctx;
    const struct options *o = job->o;
    struct scribe c = {.s = s, .job = job};
    struct history_sink sink = {
        &c, send_start, send_author, o->kind ? send_file : send_change,
        send_commit, send_bad
    };
    struct objects objects;
    struct place place;
    struct err e;
    int rc;

    text_init(&c.rec);
    buf_init(&c.change);
    rc = place_open(&place, job->path, o->trust, o->trust_owner, &e);
    if (rc == 0) {
        c.name = o->name ? o->name : place.name;
        rc = objects_open(&objects, place.objects, CACHE_BYTES, o->trust,
                          &e);
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

/* ---- in the parent ---- */

static int
nonsense(struct err *e)
{
    return err_set(e, ERR_DATA, "the reader sent nonsense");
}

#define TIP_BYTES (4 + OID_BYTES)

static int
compare_tips(const void *a, const void *b)
{
    return memcmp(a, b, TIP_BYTES);
}

/* The content id of what is read: its tips with their roles, sorted. */
static struct id
tips_id(const void *tips, size_t n)
{
    char *sorted = mem_dup(tips, n);
    struct id id;

    qsort(sorted, n / TIP_BYTES, TIP_BYTES, compare_tips);
    id = id_of(sorted, n);
    free(sorted);
    return id;
}

static int
take_start(struct job *j, struct cursor c, struct err *e)
{
    struct stream_head head;
    uint64_t n, other_refs, n_name;
    const char *name;
    struct id id;
    int rc;

    n = cursor_u64(&c);
    other_refs = cursor_u64(&c);
    n_name = cursor_u64(&c);
    name = cursor_bytes(&c, (size_t)n_name);
    if (!c.ok || c.left % TIP_BYTES != 0)
        return nonsense(e);
    if (j->begun)
        return 0;
    j->name = mem_dup(name, (size_t)n_name);
    if (n == 0)
        log_warn("%s: an empty repository", j->path);
    stream_head_init(&head, "text");
    stream_head_prov(&head, j->prov);
    rc = stream_out_begin(j->out, &head, e);
    stream_head_release(&head);
    if (rc < 0)
        return rc;
    id = tips_id(c.p, c.left);
    stream_out_input_id(j->out, &id);
    stream_out_skip(j->out, tool.name, "no-commit-ref", other_refs);
    j->begun = true;
    return 0;
}

/* "REPO author_K NAME MAIL", parted by tabs, control bytes as \xHH. */
static int
take_author(struct job *j, struct cursor c, struct err *e)
{
    uint64_t k = cursor_u64(&c);
    const char *p = (const char *)c.p;
    const char *mail = c.left ? memrchr(p, '<', c.left) : NULL;
    size_t i;

    if (!c.ok || k > j->n_authors)
        return nonsense(e);
    if (k < j->n_authors)
        return 0;
    j->n_authors++;
    if (!j->o->authors)
        return 0;
    buf_addf(j->authors, "%s\tauthor_%" PRIu64 "\t", j->name, k);
    for (i = 0; i < c.left; i++) {
        if (p + i == mail) {
            if (i > 0 && p[i - 1] == ' ')
                j->authors->len--;
            buf_addc(j->authors, '\t');
        } else if (!(mail && i == c.left - 1 && p[i] == '>')) {
            if ((unsigned char)p[i] < 32 || p[i] == 127 || p[i] == '\\')
                buf_addf(j->authors, "\\x%02x", (unsigned char)p[i]);
            else
                buf_addc(j->authors, p[i]);
        }
    }
    buf_addstr(j->authors, mail ? "\n" : "\t\n");
    return 0;
}

/* A record is what it should be, whatever became of the child. */
static int
check_record(struct job *j, const char *p, size_t n, struct err *e)
{
    const struct text_field *f;
    int rc;

    rc = text_decode(&j->rec, p, n, e);
    if (rc < 0)
        return rc;
    if (j->rec.kind != (j->o->kind ? TEXT_FILE : TEXT_COMMIT) ||
        !text_get(&j->rec, "path") || !text_get(&j->rec, "commit"))
        return nonsense(e);
    if (j->o->kind)
        return text_get(&j->rec, "text") ? 0 : nonsense(e);
    f = text_get(&j->rec, "change");
    return f ? change_decode(&j->change, f->data, f->len, e) : nonsense(e);
}

static int
take_record(struct job *j, const char *p, size_t n, struct err *e)
{
    int rc;

    if (!j->begun)
        return nonsense(e);
    if (j->drop > 0) {
        j->drop--;
        return 0;
    }
    rc = check_record(j, p, n, e);
    if (rc == 0)
        rc = stream_out_record(j->out, p, n, e);
    j->since_next++;
    j->n_records++;
    return rc;
}

static int
take_commit(struct job *j, struct cursor c, struct err *e)
{
    uint64_t ordinal = cursor_u64(&c), n;
    int i;

    if (!j->begun || ordinal < j->next)
        return nonsense(e);
    for (i = 0; i < N_SKIPS; i++) {
        n = cursor_u64(&c);
        j->n_skips += n;
        stream_out_skip(j->out, tool.name,
                        history_skip_name((enum history_skip)i), n);
    }
    j->next = ordinal + 1;
    j->since_next = 0;
    j->drop = 0;
    j->n_commits += !j->left_out;
    j->left_out = false;
    return c.ok ? 0 : nonsense(e);
}

static int
take_bad(struct job *j, struct cursor c, struct err *e)
{
    const void *id = cursor_bytes(&c, OID_BYTES);
    bool added;

    if (!c.ok)
        return nonsense(e);
    map_put(&j->bad, id, OID_BYTES, 0, &added);
    j->left_out = j->begun;
    if (added)
        log_warn("%s: %.*s; left out", j->path, (int)c.left,
                 (const char *)c.p);
    return 0;
}

static int
take_error(struct cursor c, struct err *e)
{
    uint64_t code = cursor_u64(&c);

    if (!c.ok || code < 1 || code > 6)
        return nonsense(e);
    return err_set(e, (enum err_code)-(int)code, "%.*s", (int)c.left,
                   (const char *)c.p);
}

static int
take(struct job *j, uint8_t type, const char *p, size_t n, struct err *e)
{
    struct cursor c = cursor_on(p, n);

    switch (type) {
    case 'H':
        return take_start(j, c, e);
    case 'A':
        return take_author(j, c, e);
    case 'R':
        return take_record(j, p, n, e);
    case 'C':
        return take_commit(j, c, e);
    case 'B':
        return take_bad(j, c, e);
    case 'E':
        return take_error(c, e);
    default:
        return nonsense(e);
    }
}

/* The child died: of an object, which is then not to be touched again? */
static bool
learn(struct job *j, const struct child *child, struct err *e)
{
    char hex[OID_HEX + 1];
    bool added = false;

    if (!child->watch->reading || e->code != ERR_DATA)
        return false;
    err_prefix(e, "object %s", oid_hex(&child->watch->object, hex));
    if (j->o->keep_going && j->poison.n < MAX_DEATHS)
        map_put(&j->poison, child->watch->object.b, OID_BYTES, 0, &added);
    return added;
}

/* Runs one child. *again: it died, and another may go on. */
static int
run_child(struct job *j, bool *again, struct err *e)
{
    const struct child_limits limits = {
        j->o->max_memory, (unsigned)j->o->max_time,
        (unsigned)j->o->max_stall
    };
    struct child child;
    const char *p;
    uint8_t type;
    size_t n;
    bool died = false;
    int rc;

    *again = false;
    rc = child_start(&child, &limits, read_repository, j, e);
    if (rc < 0)
        return rc;
    while ((rc = child_next(&child, &type, &p, &n, &died, e)) > 0) {
        rc = take(j, type, p, n, e);
        if (rc < 0)
            break;
    }
    if (died)
        *again = learn(j, &child, e);
    child_release(&child);
    return rc;
}

static int
scrape(struct job *j, struct err *e)
{
    bool again;
    int rc;

    do {
        j->history.first_ordinal = j->next;
        j->drop = j->since_next;
        rc = run_child(j, &again, e);
        if (again)
            log_warn("%s: %s; reading on without it", j->path, e->text);
    } while (again);
    return rc;
}

/* ---- all repositories ---- */

static int
parse_options(struct job *j, struct err *e)
{
    const struct options *o = j->o;
    char *end;

    if (strcmp(o->context, "all") == 0) {
        j->context = CHANGE_ALL;
    } else {
        j->context = strtoul(o->context, &end, 10);
        if (*end || end == o->context || *o->context == '-' ||
            j->context > 1000000)
            return err_set(e, ERR_USAGE, "--context: bad value \"%s\" "
                           "(expected 0 to 1000000, or all)", o->context);
    }
    if (o->since && !date_parse(o->since, &j->history.since))
        return err_set(e, ERR_USAGE, "--since: bad date \"%s\" (expected "
                       "2024-01-31, 2024-01-31T12:00:00Z or seconds)",
                       o->since);
    if (o->until && !date_parse(o->until, &j->history.until))
        return err_set(e, ERR_USAGE, "--until: bad date \"%s\" (expected "
                       "2024-01-31, 2024-01-31T12:00:00Z or seconds)",
                       o->until);
    if (o->rev && o->all)
        return err_set(e, ERR_USAGE, "--rev and --all exclude each other");
    if (o->kind && o->all)
        return err_set(e, ERR_USAGE, "--kind file is of one revision, not "
                       "of --all");
    if (o->authors && strcmp(o->authors, "-") == 0)
        return err_set(e, ERR_USAGE, "--authors needs a file: stdout is the "
                       "stream's");
    j->history.rev = o->rev;
    j->history.all = o->all;
    j->history.first_parent = o->first_parent;
    j->history.files = o->kind != 0;
    j->history.has_since = o->since != NULL;
    j->history.has_until = o->until != NULL;
    j->history.glob = o->path.item;
    j->history.n_globs = o->path.n;
    j->history.max_blob = o->max_blob;
    j->history.max_entries = o->max_entries;
    return 0;
}

static void
job_begin(struct job *j, const char *path)
{
    j->path = path;
    j->next = j->since_next = j->drop = 0;
    j->begun = j->left_out = false;
    j->n_authors = j->n_bad = j->n_commits = j->n_records = j->n_skips = 0;
    map_init(&j->poison);
    map_init(&j->bad);
}

static void
job_end(struct job *j)
{
    free(j->name);
    j->name = NULL;
    map_release(&j->poison);
    map_release(&j->bad);
}

/* One repository, one segment. *lost is set if something was left out. */
static int
one_repository(struct job *j, bool *lost, struct err *e)
{
    int rc = scrape(j, e);

    if (rc < 0) {
        if (strncmp(e->text, j->path, strlen(j->path)) != 0)
            err_prefix(e, "%s", j->path);
        if (!j->o->keep_going || (rc != ERR_DATA && rc != ERR_LIMIT &&
                                  j->begun) || rc == ERR_USAGE)
            return rc;
        log_error("%s", e->text);
        *lost = true;
        if (!j->begun)
            return 0;
        stream_out_skip(j->out, tool.name, "rest-of-history", 1);
    }
    stream_out_skip(j->out, tool.name, "bad-commit", j->bad.n);
    *lost = *lost || j->bad.n > 0;
    log_info("%s: %" PRIu64 " records of %" PRIu64 " commits by %" PRIu64
             " authors; %" PRIu64 " files and %zu commits left out",
             j->path, j->n_records, j->n_commits, j->n_authors, j->n_skips,
             j->bad.n);
    return stream_out_end(j->out, e);
}

static int
write_authors(const struct options *o, const struct buf *authors,
              struct err *e)
{
    mode_t mask;
    int rc;

    if (!o->authors)
        return 0;
    mask = umask(0177);
    rc = file_write(o->authors, authors->data, authors->len, e);
    umask(mask);
    return rc;
}

static int
run(const struct options *o, const struct args *args, struct err *e)
{
    struct job j = {.o = o};
    struct stream_out out;
    struct buf authors;
    bool lost = false;
    size_t i;
    int rc;

    rc = parse_options(&j, e);
    if (rc == 0 && o->authors)
        rc = out_check(o->authors, NULL, e);
    if (rc < 0)
        return rc;
    buf_init(&authors);
    text_init(&j.rec);
    change_init(&j.change);
    j.authors = &authors;
    j.out = &out;
    j.prov = tool_prov(args, o, NULL);
    rc = stream_out_open(&out, "-", e);
    for (i = 0; rc == 0 && i < args->n; i++) {
        job_begin(&j, args->operand[i]);
        rc = one_repository(&j, &lost, e);
        job_end(&j);
    }
    if (rc == 0)
        rc = write_authors(o, &authors, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    text_release(&j.rec);
    change_release(&j.change);
    buf_release(&authors);
    free(j.prov);
    if (rc == 0 && lost)
        rc = err_set(e, ERR_SKIPPED, "some input was left out");
    return rc;
}

int
main(int argc, char **argv)
{
    struct options o = {0};
    struct args args;
    struct err e;
    int rc;

    tool_start(&tool, &o, &args, argc, argv);
    rc = run(&o, &args, &e);
    return tool_end(rc, &e);
}
