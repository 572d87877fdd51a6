/* manifest_read.c - reading manifest.json as hostile text.
 *
 * Each object is a table of its members. What they say together is checked
 * by manifest_check.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "stream/manifest.h"
#include "stream/manifest_check.h"
#include "stream/members.h"

#define MANIFEST_MAX (64u << 20)
#define FILES_MAX 1000000
#define SPLIT_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

/* ---- the members of the manifest ---- */

static int
read_format(struct member_reader *r, void *into)
{
    int rc = member_string(r);

    (void)into;
    if (rc == 0 && strcmp(r->text.data, "graft set") != 0)
        rc = json_error(&r->j, r->e, "not the manifest of a set (format is "
                        "\"%s\")", r->text.data);
    return rc;
}

static int
read_version(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    uint64_t v;
    int rc = member_u64(r, &v);

    if (rc == 0 && (v < 1 || v > STREAM_VERSION))
        rc = json_error(&r->j, r->e, "set version (found %" PRIu64
                        ", supported 1 to %d)", v, STREAM_VERSION);
    if (rc == 0)
        m->head.version = (int)v;
    return rc;
}

static int
read_type(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = member_string(r), version = m->head.version;

    if (rc == 0)
        stream_head_set_type(&m->head, r->text.data);
    m->head.version = version;
    return rc;
}

static int
read_keys(struct member_reader *r, void *into)
{
    struct stream_head *h = &((struct manifest *)into)->head;
    int rc = json_enter_object(&r->j, r->e);

    while (rc == 0 && json_next_key(&r->j, &r->key)) {
        if (h->n_keys == 1024)
            return json_error(&r->j, r->e, "over 1024 keys");
        rc = member_string(r);
        if (rc == 0)
            stream_head_set(h, r->key.data, r->text.data);
    }
    return rc;
}

static int
read_prov(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        rc = member_string(r);
        if (rc == 0)
            stream_head_prov(&m->head, r->text.data);
    }
    return rc;
}

/* ---- files ---- */

static const struct member file_members[] = {
    { "name", MEMBER_STRING, offsetof(struct set_file, name) },
    { "bytes", MEMBER_U64, offsetof(struct set_file, bytes) },
    { "records", MEMBER_U64, offsetof(struct set_file, records) },
    { "tensors", MEMBER_U64, offsetof(struct set_file, tensors) },
    { "content", MEMBER_ID, offsetof(struct set_file, content) },
    { "file", MEMBER_ID, offsetof(struct set_file, file) },
};

static int
read_files(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    size_t cap = 0;
    char name[64];
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        struct set_file *f;

        if (m->n_files == FILES_MAX)
            return json_error(&r->j, r->e, "over %d files", FILES_MAX);
        if (m->n_files == cap) {
            cap = cap ? 2 * cap : 16;
            m->file = mem_grow(m->file, cap * sizeof(*m->file));
        }
        f = &m->file[m->n_files++];
        *f = (struct set_file){0};
        rc = MEMBERS_READ(r, file_members, f);
        if (rc < 0)
            return rc;
        manifest_file_name(name, m->n_files - 1, &f->content);
        if (strcmp(name, f->name) != 0)
            return json_error(&r->j, r->e, "file %zu (found %s, expected "
                              "%s)", m->n_files - 1, f->name, name);
    }
    return rc;
}

/* ---- lengths ---- */

/* The file of lengths as the text has it. */
struct lengths_text {
    char *name;
    uint64_t bytes;
    struct id file;
};

static const struct member lengths_members[] = {
    { "name", MEMBER_STRING, offsetof(struct lengths_text, name) },
    { "bytes", MEMBER_U64, offsetof(struct lengths_text, bytes) },
    { "file", MEMBER_ID, offsetof(struct lengths_text, file) },
};

static int
read_lengths(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    struct lengths_text got = {0};
    int rc = MEMBERS_READ(r, lengths_members, &got);

    if (rc == 0) {
        manifest_set_lengths(m, got.bytes, &got.file);
        if (strcmp(got.name, m->lengths.name) != 0)
            rc = json_error(&r->j, r->e, "file of lengths (found %s, "
                            "expected %s)", got.name, m->lengths.name);
    }
    free(got.name);
    return rc;
}

/* ---- splits ---- */

/* A split as the text has it. */
struct split_text {
    struct manifest *m;
    char *name;
    uint64_t records, tokens;
};

static int
split_name(struct member_reader *r, void *into)
{
    struct split_text *s = into;
    int rc = member_string(r);

    if (rc == 0 && (r->text.len == 0 || r->text.len > STREAM_NAME_MAX
                    || strspn(r->text.data, SPLIT_LETTERS) != r->text.len))
        rc = json_error(&r->j, r->e, "bad name of a split");
    if (rc == 0)
        s->name = mem_strdup(r->text.data);
    return rc;
}

/* [BEGIN, END] */
static int
read_range(struct member_reader *r, uint64_t n_records, uint64_t range[2])
{
    size_t n = 0;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        if (n == 2)
            return json_error(&r->j, r->e, "a range of more than two");
        rc = member_u64(r, &range[n++]);
    }
    if (rc == 0 && (n < 2 || range[0] > range[1] || range[1] > n_records))
        rc = json_error(&r->j, r->e, "not a range of the %" PRIu64
                        " records", n_records);
    return rc;
}

/* The last of the members: name and tokens are known. */
static int
split_ranges(struct member_reader *r, void *into)
{
    struct split_text *s = into;
    const struct set_split *split;
    uint64_t range[2], last = 0;
    int rc = json_enter_array(&r->j, r->e);

    manifest_add_range(s->m, s->name, 0, 0, s->tokens);
    while (rc == 0 && json_next_item(&r->j)) {
        rc = read_range(r, s->m->records, range);
        if (rc == 0 && range[0] < last)
            rc = json_error(&r->j, r->e, "ranges are not in order");
        if (rc == 0)
            manifest_add_range(s->m, s->name, range[0], range[1], 0);
        last = range[1];
    }
    split = manifest_split(s->m, s->name);
    if (rc == 0 && split->records != s->records)
        rc = json_error(&r->j, r->e, "split %s (found %" PRIu64
                        " records, expected %" PRIu64 ")", s->name,
                        split->records, s->records);
    return rc;
}

static const struct member split_members[] = {
    { "name", .fn = split_name },
    { "records", MEMBER_U64, offsetof(struct split_text, records) },
    { "tokens", MEMBER_U64, offsetof(struct split_text, tokens) },
    { "ranges", .fn = split_ranges },
};

static int
read_splits(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        struct split_text s = {.m = m};

        if (m->n_splits == 64)
            return json_error(&r->j, r->e, "over 64 splits");
        rc = MEMBERS_READ(r, split_members, &s);
        free(s.name);
    }
    return rc;
}

/* ---- sampling ---- */

static int
read_sampling(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        if (m->n_sampling == MANIFEST_MAX_RULES)
            return json_error(&r->j, r->e, "over %d rules of sampling",
                              MANIFEST_MAX_RULES);
        rc = member_string(r);
        if (rc == 0 && !manifest_rule_allowed(r->text.data))
            rc = json_error(&r->j, r->e, "bad rule of sampling");
        if (rc == 0)
            manifest_add_sampling(m, r->text.data);
    }
    return rc;
}

/* ---- leaks ---- */

static const struct member leak_members[] = {
    { "split", MEMBER_STRING, offsetof(struct set_leak, split) },
    { "edit", MEMBER_U64, offsetof(struct set_leak, edit) },
    { "content", MEMBER_U64, offsetof(struct set_leak, content) },
    { "commit", MEMBER_U64, offsetof(struct set_leak, commit) },
};

/* One for a split that is there, of which no more leak than it has. */
static int
check_leak(struct member_reader *r, const struct manifest *m,
           const struct set_leak *l)
{
    const struct set_split *s = manifest_split(m, l->split);

    if (!s || l->edit > s->records || l->content > s->records
        || l->commit > s->records)
        return json_error(&r->j, r->e, "leaks of split %s: no such split, or "
                          "more than its records", l->split);
    return 0;
}

static int
read_leaks(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        struct set_leak l = {0};

        if (m->n_leaks == m->n_splits)
            return json_error(&r->j, r->e, "leaks of more splits than there "
                              "are");
        rc = MEMBERS_READ(r, leak_members, &l);
        if (rc == 0)
            rc = check_leak(r, m, &l);
        if (rc == 0)
            manifest_add_leak(m, l.split, l.edit, l.content, l.commit);
        free(l.split);
    }
    return rc;
}

/* ---- where it comes from ---- */

static int
read_inputs(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    struct id id;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        rc = member_id(r, &id);
        if (rc == 0)
            manifest_add_input(m, &id);
    }
    return rc;
}

/* As many as inputs, and together all records. */
static int
read_segments(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    uint64_t left = m->records, records;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        rc = member_u64(r, &records);
        if (rc < 0)
            return rc;
        if (records > left || m->n_segments == m->n_inputs)
            return json_error(&r->j, r->e, "more segments than records or "
                              "inputs");
        manifest_add_segment(m, records);
        left -= records;
    }
    if (rc == 0 && (left > 0 || m->n_segments < m->n_inputs))
        rc = json_error(&r->j, r->e, "segments lack %" PRIu64 " records or "
                        "an input", left);
    return rc;
}

/* A line of the ledger. */
struct ledger_text {
    struct ledger *ledger;
    char *program, *reason;
};

static int
ledger_count(struct member_reader *r, void *into)
{
    const struct ledger_text *l = into;
    size_t n = l->ledger->n;
    uint64_t count;
    int rc = member_u64(r, &count);

    if (rc < 0)
        return rc;
    ledger_add(l->ledger, l->program, l->reason, count);
    if (l->ledger->n == n)
        return json_error(&r->j, r->e, "ledger line %zu twice or empty", n);
    return 0;
}

static const struct member ledger_members[] = {
    { "program", MEMBER_STRING, offsetof(struct ledger_text, program) },
    { "reason", MEMBER_STRING, offsetof(struct ledger_text, reason) },
    { "count", .fn = ledger_count },
};

static int
read_ledger(struct member_reader *r, void *into)
{
    struct manifest *m = into;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        struct ledger_text l = {.ledger = &m->ledger};

        rc = MEMBERS_READ(r, ledger_members, &l);
        free(l.program);
        free(l.reason);
    }
    return rc;
}

/* An id; that it is the right one shows when the text is compared. */
static int
read_check(struct member_reader *r, void *into)
{
    struct id id;

    (void)into;
    return member_id(r, &id);
}

static const struct member members[] = {
    { "format", .fn = read_format },
    { "version", .fn = read_version },
    { "type", .fn = read_type },
    { "content", MEMBER_ID, offsetof(struct manifest, content) },
    { "records", MEMBER_U64, offsetof(struct manifest, records) },
    { "tensors", MEMBER_U64, offsetof(struct manifest, tensors) },
    { "keys", .fn = read_keys },
    { "prov", .fn = read_prov },
    { "files", .fn = read_files },
    { "lengths", .fn = read_lengths, .optional = true },
    { "splits", .fn = read_splits },
    { "sampling", .fn = read_sampling, .optional = true },
    { "leaks", .fn = read_leaks, .optional = true },
    { "inputs", .fn = read_inputs },
    { "segments", .fn = read_segments, .optional = true },
    { "ledger", .fn = read_ledger },
    { "check", .fn = read_check },
};

/* ---- the whole ---- */

/* Runs and checkpoints have a manifest.json, too. */
static int
check_first(struct member_reader *r)
{
    int rc = json_enter_object(&r->j, r->e);

    if (rc == 0 && (!json_next_key(&r->j, &r->key)
                    || strcmp(r->key.data, members[0].name) != 0))
        rc = json_error(&r->j, r->e, "not the manifest of a set (it does not "
                        "begin with %s)", members[0].name);
    return rc;
}

int
manifest_read(struct manifest *m, const char *path, struct err *e)
{
    struct manifest got;
    struct member_reader r = {.e = e};
    struct buf text;
    int rc;

    manifest_init(&got, "");
    buf_init(&text);
    buf_init(&r.key);
    buf_init(&r.text);
    rc = file_read_regular(&text, path, MANIFEST_MAX, e);
    if (rc == 0)
        rc = json_check(text.data, text.len, path, e);
    if (rc == 0) {
        r.j = json_on(text.data, text.len, path);
        rc = check_first(&r);
    }
    if (rc == 0) {
        r.j = json_on(text.data, text.len, path);
        rc = MEMBERS_READ(&r, members, &got);
    }
    if (rc == 0)
        rc = manifest_check(&got, &text, path, e);
    buf_release(&text);
    buf_release(&r.key);
    buf_release(&r.text);
    if (rc < 0)
        manifest_release(&got);
    else
        *m = got;
    return rc;
}
