/* manifest_read.c - reading manifest.json as hostile text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "stream/manifest.h"

#define MANIFEST_MAX (64u << 20)
#define FILES_MAX 1000000

struct reader {
    struct json j;
    struct manifest *m;
    struct buf key, s;
    struct err *e;
};

typedef int member_fn(struct reader *r, void *ctx);

struct member {
    const char *name;
    member_fn *fn;
    bool optional;
};

/* Reads an object whose keys are all in the table, in its order; those that
 * are not optional must be there. */
static int
read_object(struct reader *r, const struct member *table, size_t n,
            void *ctx)
{
    size_t i = 0;
    int rc = json_enter_object(&r->j, r->e);

    for (; rc == 0 && json_next_key(&r->j, &r->key); i++) {
        while (i < n && table[i].optional
               && strcmp(table[i].name, r->key.data) != 0)
            i++;
        if (i == n || strcmp(table[i].name, r->key.data) != 0)
            return json_error(&r->j, r->e, "found key %s, expected %s",
                              r->key.data, i < n ? table[i].name : "none");
        rc = table[i].fn(r, ctx);
    }
    if (rc == 0 && i < n)
        return json_error(&r->j, r->e, "no key %s", table[i].name);
    return rc;
}

#define READ_OBJECT(r, table, ctx) \
    read_object(r, table, sizeof(table) / sizeof((table)[0]), ctx)

static int
read_id(struct reader *r, struct id *id)
{
    int rc = json_string(&r->j, &r->s, r->e);

    if (rc == 0 && !id_parse(id, r->s.data, r->s.len))
        rc = json_error(&r->j, r->e, "found \"%s\", expected %d hex digits",
                        r->s.data, ID_HEX);
    return rc;
}

static int
read_u64(struct reader *r, uint64_t *v)
{
    return json_u64(&r->j, v, r->e);
}

/* ---- the members of the manifest ---- */

static int
read_format(struct reader *r, void *ctx)
{
    int rc = json_string(&r->j, &r->s, r->e);

    (void)ctx;
    if (rc == 0 && strcmp(r->s.data, "graft set") != 0)
        rc = json_error(&r->j, r->e, "not the manifest of a set (format is "
                        "\"%s\")", r->s.data);
    return rc;
}

static int
read_version(struct reader *r, void *ctx)
{
    uint64_t v;
    int rc = read_u64(r, &v);

    (void)ctx;
    if (rc == 0 && v != STREAM_VERSION)
        rc = json_error(&r->j, r->e, "set version (found %" PRIu64
                        ", supported %d)", v, STREAM_VERSION);
    return rc;
}

static int
read_type(struct reader *r, void *ctx)
{
    int rc = json_string(&r->j, &r->s, r->e);

    (void)ctx;
    if (rc == 0)
        stream_head_set_type(&r->m->head, r->s.data);
    return rc;
}

static int
read_content(struct reader *r, void *ctx)
{
    (void)ctx;
    return read_id(r, &r->m->content);
}

static int
read_records(struct reader *r, void *ctx)
{
    (void)ctx;
    return read_u64(r, &r->m->records);
}

static int
read_tensors(struct reader *r, void *ctx)
{
    (void)ctx;
    return read_u64(r, &r->m->tensors);
}

static int
read_keys(struct reader *r, void *ctx)
{
    struct stream_head *h = &r->m->head;
    int rc = json_enter_object(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_key(&r->j, &r->key)) {
        if (h->n_keys == 1024)
            return json_error(&r->j, r->e, "over 1024 keys");
        rc = json_string(&r->j, &r->s, r->e);
        if (rc == 0)
            stream_head_set(h, r->key.data, r->s.data);
    }
    return rc;
}

static int
read_prov(struct reader *r, void *ctx)
{
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_item(&r->j)) {
        rc = json_string(&r->j, &r->s, r->e);
        if (rc == 0)
            stream_head_prov(&r->m->head, r->s.data);
    }
    return rc;
}

/* ---- files ---- */

static int
file_name(struct reader *r, void *ctx)
{
    struct set_file *f = ctx;
    int rc = json_string(&r->j, &r->s, r->e);

    if (rc == 0)
        f->name = mem_strdup(r->s.data);
    return rc;
}

static int
file_bytes(struct reader *r, void *ctx)
{
    return read_u64(r, &((struct set_file *)ctx)->bytes);
}

static int
file_records(struct reader *r, void *ctx)
{
    return read_u64(r, &((struct set_file *)ctx)->records);
}

static int
file_tensors(struct reader *r, void *ctx)
{
    return read_u64(r, &((struct set_file *)ctx)->tensors);
}

static int
file_content(struct reader *r, void *ctx)
{
    return read_id(r, &((struct set_file *)ctx)->content);
}

static int
file_digest(struct reader *r, void *ctx)
{
    return read_id(r, &((struct set_file *)ctx)->file);
}

static const struct member file_members[] = {
    {"name", file_name}, {"bytes", file_bytes}, {"records", file_records},
    {"tensors", file_tensors}, {"content", file_content},
    {"file", file_digest}
};

static int
read_files(struct reader *r, void *ctx)
{
    struct manifest *m = r->m;
    size_t cap = 0;
    char name[64];
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
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
        rc = READ_OBJECT(r, file_members, f);
        if (rc < 0)
            return rc;
        manifest_file_name(name, m->n_files - 1, &f->content);
        if (strcmp(name, f->name) != 0)
            return json_error(&r->j, r->e, "file %zu (found %s, expected "
                              "%s)", m->n_files - 1, f->name, name);
    }
    return rc;
}

/* ---- splits ---- */

struct split_text {
    char *name;
    uint64_t records, tokens;
};

static int
split_name(struct reader *r, void *ctx)
{
    struct split_text *s = ctx;
    int rc = json_string(&r->j, &r->s, r->e);

    if (rc == 0 && (r->s.len == 0 || r->s.len > STREAM_NAME_MAX
                    || strspn(r->s.data, "abcdefghijklmnopqrstuvwxyz0123456789"
                           "_-") != r->s.len))
        rc = json_error(&r->j, r->e, "bad name of a split");
    if (rc == 0)
        s->name = mem_strdup(r->s.data);
    return rc;
}

static int
split_records(struct reader *r, void *ctx)
{
    return read_u64(r, &((struct split_text *)ctx)->records);
}

static int
split_tokens(struct reader *r, void *ctx)
{
    return read_u64(r, &((struct split_text *)ctx)->tokens);
}

/* [BEGIN, END] */
static int
read_range(struct reader *r, uint64_t range[2])
{
    size_t n = 0;
    int rc = json_enter_array(&r->j, r->e);

    while (rc == 0 && json_next_item(&r->j)) {
        if (n == 2)
            return json_error(&r->j, r->e, "a range of more than two");
        rc = read_u64(r, &range[n++]);
    }
    if (rc == 0 && (n < 2 || range[0] > range[1]
                    || range[1] > r->m->records))
        rc = json_error(&r->j, r->e, "not a range of the %" PRIu64
                        " records", r->m->records);
    return rc;
}

/* The last of the members: name and tokens are known. */
static int
split_ranges(struct reader *r, void *ctx)
{
    struct split_text *s = ctx;
    const struct set_split *split;
    uint64_t range[2], last = 0;
    int rc = json_enter_array(&r->j, r->e);

    manifest_add_range(r->m, s->name, 0, 0, s->tokens);
    while (rc == 0 && json_next_item(&r->j)) {
        rc = read_range(r, range);
        if (rc == 0 && range[0] < last)
            rc = json_error(&r->j, r->e, "ranges are not in order");
        if (rc == 0)
            manifest_add_range(r->m, s->name, range[0], range[1], 0);
        last = range[1];
    }
    split = manifest_split(r->m, s->name);
    if (rc == 0 && split->records != s->records)
        rc = json_error(&r->j, r->e, "split %s (found %" PRIu64
                        " records, expected %" PRIu64 ")", s->name,
                        split->records, s->records);
    return rc;
}

static const struct member split_members[] = {
    {"name", split_name}, {"records", split_records},
    {"tokens", split_tokens}, {"ranges", split_ranges}
};

static int
read_splits(struct reader *r, void *ctx)
{
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_item(&r->j)) {
        struct split_text s = {0};

        if (r->m->n_splits == 64)
            return json_error(&r->j, r->e, "over 64 splits");
        rc = READ_OBJECT(r, split_members, &s);
        free(s.name);
    }
    return rc;
}

/* ---- where it comes from ---- */

static int
read_inputs(struct reader *r, void *ctx)
{
    struct id id;
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_item(&r->j)) {
        rc = read_id(r, &id);
        if (rc == 0)
            manifest_add_input(r->m, &id);
    }
    return rc;
}

/* As many as inputs, and together all records. */
static int
read_segments(struct reader *r, void *ctx)
{
    struct manifest *m = r->m;
    uint64_t left = m->records, records;
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_item(&r->j)) {
        rc = read_u64(r, &records);
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

struct ledger_text {
    char *program, *reason;
};

static int
ledger_program(struct reader *r, void *ctx)
{
    int rc = json_string(&r->j, &r->s, r->e);

    if (rc == 0)
        ((struct ledger_text *)ctx)->program = mem_strdup(r->s.data);
    return rc;
}

static int
ledger_reason(struct reader *r, void *ctx)
{
    int rc = json_string(&r->j, &r->s, r->e);

    if (rc == 0)
        ((struct ledger_text *)ctx)->reason = mem_strdup(r->s.data);
    return rc;
}

static int
ledger_count(struct reader *r, void *ctx)
{
    const struct ledger_text *l = ctx;
    size_t n = r->m->ledger.n;
    uint64_t count;
    int rc = read_u64(r, &count);

    if (rc < 0)
        return rc;
    ledger_add(&r->m->ledger, l->program, l->reason, count);
    if (r->m->ledger.n == n)
        return json_error(&r->j, r->e, "ledger line %zu twice or empty", n);
    return 0;
}

static const struct member ledger_members[] = {
    {"program", ledger_program}, {"reason", ledger_reason},
    {"count", ledger_count}
};

static int
read_ledger(struct reader *r, void *ctx)
{
    int rc = json_enter_array(&r->j, r->e);

    (void)ctx;
    while (rc == 0 && json_next_item(&r->j)) {
        struct ledger_text l = {0};

        rc = READ_OBJECT(r, ledger_members, &l);
        free(l.program);
        free(l.reason);
    }
    return rc;
}

/* Compared by manifest_read with the rest. */
static int
read_check(struct reader *r, void *ctx)
{
    return read_id(r, ctx);
}

static const struct member members[] = {
    {"format", read_format}, {"version", read_version}, {"type", read_type},
    {"content", read_content}, {"records", read_records},
    {"tensors", read_tensors}, {"keys", read_keys}, {"prov", read_prov},
    {"files", read_files}, {"splits", read_splits}, {"inputs", read_inputs},
    {"segments", read_segments, .optional = true},
    {"ledger", read_ledger}, {"check", read_check}
};

/* ---- the whole ---- */

/* Runs and checkpoints have a manifest.json, too. */
static int
check_first(struct reader *r)
{
    int rc = json_enter_object(&r->j, r->e);

    if (rc == 0 && (!json_next_key(&r->j, &r->key)
                    || strcmp(r->key.data, members[0].name) != 0))
        rc = json_error(&r->j, r->e, "not the manifest of a set (it does not "
                        "begin with %s)", members[0].name);
    return rc;
}

static int
by_begin(const void *a, const void *b)
{
    const struct set_range *x = a, *y = b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* No record in two splits. */
static int
check_splits(const struct manifest *m, const char *path, struct err *e)
{
    struct set_range *all;
    size_t n = 0, at = 0;
    int rc = 0;

    for (size_t i = 0; i < m->n_splits; i++)
        n += m->split[i].n;
    all = mem_array(n, sizeof(*all));
    for (size_t i = 0; i < m->n_splits; i++)
        for (size_t k = 0; k < m->split[i].n; k++)
            all[at++] = m->split[i].range[k];
    qsort(all, n, sizeof(*all), by_begin);
    for (size_t i = 1; rc == 0 && i < n; i++)
        if (all[i].begin < all[i - 1].end)
            rc = err_set(e, ERR_DATA, "%s: record %" PRIu64 " is in two "
                         "splits", path, all[i].begin);
    free(all);
    return rc;
}

/* What was read, against its sums, its id and its one form as text. */
static int
check_whole(struct manifest *m, const struct buf *text, const char *path,
            struct err *e)
{
    uint64_t records = m->records, tensors = m->tensors;
    struct id content = m->content;
    struct buf again;
    int rc = check_splits(m, path, e);

    if (rc < 0)
        return rc;
    manifest_finish(m);
    if (m->records != records || m->tensors != tensors)
        return err_set(e, ERR_DATA, "%s: records (found %" PRIu64 ", files "
                       "have %" PRIu64 ")", path, records, m->records);
    if (!id_equal(&content, &m->content))
        return err_set(e, ERR_DATA, "%s: content id is not that of its "
                       "files", path);
    buf_init(&again);
    manifest_format(&again, m);
    if (again.len != text->len
        || memcmp(again.data, text->data, text->len) != 0)
        rc = err_set(e, ERR_DATA, "%s: was changed: it does not match its "
                     "check", path);
    buf_release(&again);
    return rc;
}

int
manifest_read(struct manifest *m, const char *path, struct err *e)
{
    struct manifest got;
    struct reader r = {.m = &got, .e = e};
    struct buf text;
    struct id check;
    int rc;

    manifest_init(&got, "");
    buf_init(&text);
    buf_init(&r.key);
    buf_init(&r.s);
    rc = file_read_regular(&text, path, MANIFEST_MAX, e);
    if (rc == 0)
        rc = json_check(text.data, text.len, path, e);
    if (rc == 0) {
        r.j = json_on(text.data, text.len, path);
        rc = check_first(&r);
    }
    if (rc == 0) {
        r.j = json_on(text.data, text.len, path);
        rc = READ_OBJECT(&r, members, &check);
    }
    if (rc == 0)
        rc = check_whole(&got, &text, path, e);
    buf_release(&text);
    buf_release(&r.key);
    buf_release(&r.s);
    if (rc < 0)
        manifest_release(&got);
    else
        *m = got;
    return rc;
}
