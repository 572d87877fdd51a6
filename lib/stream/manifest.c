/* manifest.c - the manifest of a set: building, ids, text.
 *
 * The text has one form, ending in a hash of what is before it, and
 * manifest_read compares what it read with that form: so a changed byte is
 * found, whichever it is. manifest_read.c has the reading.
 */
#include "stream/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "stream/frame.h"

void
manifest_init(struct manifest *m, const char *type)
{
    memset(m, 0, sizeof(*m));
    stream_head_init(&m->head, type);
}

void
manifest_release(struct manifest *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        free(m->file[i].name);
    for (size_t i = 0; i < m->n_splits; i++) {
        free(m->split[i].name);
        free(m->split[i].range);
    }
    for (size_t i = 0; i < m->n_leaks; i++)
        free(m->leak[i].split);
    for (size_t i = 0; i < m->n_sampling; i++)
        free(m->sampling[i]);
    free(m->sampling);
    free(m->file);
    free(m->split);
    free(m->leak);
    free(m->input);
    free(m->segment);
    ledger_release(&m->ledger);
    stream_head_release(&m->head);
    memset(m, 0, sizeof(*m));
}

void
manifest_file_name(char out[64], size_t i, const struct id *content)
{
    char hex[ID_HEX + 1];

    snprintf(out, 64, "%05zu-%.16s.graft", i, id_hex(content, hex));
}

struct set_file *
manifest_add_file(struct manifest *m, const struct stream_trailer *t,
                  uint64_t bytes)
{
    char name[64];
    struct set_file *f;

    manifest_file_name(name, m->n_files, &t->content);
    m->file = mem_grow(m->file, (m->n_files + 1) * sizeof(*m->file));
    f = &m->file[m->n_files++];
    *f = (struct set_file){
        .name = mem_strdup(name), .bytes = bytes, .records = t->records,
        .tensors = t->tensors, .content = t->content, .file = t->file
    };
    return f;
}

void
manifest_set_lengths(struct manifest *m, uint64_t bytes,
                     const struct id *file)
{
    struct set_lengths *l = &m->lengths;
    char hex[ID_HEX + 1];

    snprintf(l->name, sizeof(l->name), "lengths-%.16s", id_hex(file, hex));
    l->bytes = bytes;
    l->file = *file;
}

const struct set_split *
manifest_split(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_splits; i++)
        if (strcmp(m->split[i].name, name) == 0)
            return &m->split[i];
    return NULL;
}

const char *
manifest_split_of(const struct manifest *m, uint64_t i)
{
    for (size_t n = 0; n < m->n_splits; n++) {
        const struct set_split *s = &m->split[n];

        for (size_t k = 0; k < s->n; k++)
            if (s->range[k].begin <= i && i < s->range[k].end)
                return s->name;
    }
    return NULL;
}

void
manifest_add_range(struct manifest *m, const char *split, uint64_t begin,
                   uint64_t end, uint64_t tokens)
{
    struct set_split *s = (struct set_split *)manifest_split(m, split);

    if (!s) {
        m->split = mem_grow(m->split, (m->n_splits + 1) * sizeof(*m->split));
        s = &m->split[m->n_splits++];
        *s = (struct set_split){.name = mem_strdup(split)};
    }
    s->tokens += tokens;
    s->records += end - begin;
    if (s->n && s->range[s->n - 1].end == begin) {
        s->range[s->n - 1].end = end;
        return;
    }
    if (begin == end)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 4;
        s->range = mem_grow(s->range, s->cap * sizeof(*s->range));
    }
    s->range[s->n++] = (struct set_range){begin, end};
}

bool
manifest_split_has(const struct set_split *s, size_t *range, uint64_t i)
{
    while (*range < s->n && s->range[*range].end <= i)
        ++*range;
    return *range < s->n && s->range[*range].begin <= i;
}

bool
manifest_rule_allowed(const char *rule)
{
    size_t n = strlen(rule);

    return n > 0 && n <= MANIFEST_MAX_RULE && utf8_is_line(rule, n);
}

void
manifest_add_sampling(struct manifest *m, const char *rule)
{
    m->sampling = mem_grow(m->sampling,
                           (m->n_sampling + 1) * sizeof(*m->sampling));
    m->sampling[m->n_sampling++] = mem_strdup(rule);
}

void
manifest_add_leak(struct manifest *m, const char *split, uint64_t edit,
                  uint64_t content, uint64_t commit)
{
    m->leak = mem_grow(m->leak, (m->n_leaks + 1) * sizeof(*m->leak));
    m->leak[m->n_leaks++] = (struct set_leak){
        mem_strdup(split), .edit = edit, .content = content, .commit = commit
    };
}

void
manifest_add_input(struct manifest *m, const struct id *id)
{
    m->input = mem_grow(m->input, (m->n_inputs + 1) * sizeof(*m->input));
    m->input[m->n_inputs++] = *id;
}

void
manifest_add_segment(struct manifest *m, uint64_t records)
{
    m->segment = mem_grow(m->segment,
                          (m->n_segments + 1) * sizeof(*m->segment));
    m->segment[m->n_segments++] = records;
}

void
manifest_finish(struct manifest *m)
{
    struct hash h;
    struct buf b;

    free(m->head.after_oid);
    m->head.after_oid = NULL;
    m->records = m->tensors = 0;
    hash_init(&h);
    head_content(&h, &m->head);
    for (size_t i = 0; i < m->n_files; i++) {
        m->records += m->file[i].records;
        m->tensors += m->file[i].tensors;
        hash_add(&h, m->file[i].content.b, ID_BYTES);
    }
    if (m->n_segments < 2 || m->tensors > 0)
        m->n_segments = 0;
    buf_init(&b);
    for (size_t i = 0; i < m->n_splits; i++) {
        const struct set_split *s = &m->split[i];

        for (size_t k = 0; k < s->n; k++)
            buf_addf(&b, "%s %" PRIu64 " %" PRIu64 "\n", s->name,
                     s->range[k].begin, s->range[k].end);
    }
    for (size_t i = 0; i < m->n_sampling; i++)
        buf_addf(&b, "sampling %s\n", m->sampling[i]);
    hash_add(&h, b.data, b.len);
    buf_release(&b);
    m->content = hash_id(&h);
}

/* ---- text ---- */

static void
put_string(struct buf *b, const char *s)
{
    json_put_string(b, s, strlen(s));
}

static void
put_id(struct buf *b, const char *before, const struct id *id)
{
    char hex[ID_HEX + 1];

    buf_addf(b, "%s\"%s\"", before, id_hex(id, hex));
}

static void
put_head(struct buf *b, const struct stream_head *h)
{
    buf_addstr(b, "  \"keys\": {");
    for (size_t i = 0; i < h->n_keys; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        put_string(b, h->key[i].name);
        buf_addstr(b, ": ");
        put_string(b, h->key[i].value);
    }
    buf_addstr(b, h->n_keys ? "\n  },\n  \"prov\": [" : "},\n  \"prov\": [");
    for (size_t i = 0; i < h->n_prov; i++) {
        buf_addstr(b, i ? ",\n    " : "\n    ");
        put_string(b, h->prov[i]);
    }
    buf_addstr(b, h->n_prov ? "\n  ],\n" : "],\n");
}

static void
put_files(struct buf *b, const struct manifest *m)
{
    const struct set_file *f = m->file;

    buf_addstr(b, "  \"files\": [");
    for (size_t i = 0; i < m->n_files; i++, f++) {
        buf_addstr(b, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        put_string(b, f->name);
        buf_addf(b, ", \"bytes\": %" PRIu64 ", \"records\": %" PRIu64
                 ", \"tensors\": %" PRIu64, f->bytes, f->records,
                 f->tensors);
        put_id(b, ",\n     \"content\": ", &f->content);
        put_id(b, ",\n     \"file\": ", &f->file);
        buf_addc(b, '}');
    }
    buf_addstr(b, m->n_files ? "\n  ],\n" : "],\n");
}

static void
put_lengths(struct buf *b, const struct set_lengths *l)
{
    if (l->name[0] == '\0')
        return;
    buf_addf(b, "  \"lengths\": {\"name\": \"%s\", \"bytes\": %" PRIu64,
             l->name, l->bytes);
    put_id(b, ",\n    \"file\": ", &l->file);
    buf_addstr(b, "},\n");
}

static void
put_splits(struct buf *b, const struct manifest *m)
{
    const struct set_split *s = m->split;

    buf_addstr(b, "  \"splits\": [");
    for (size_t i = 0; i < m->n_splits; i++, s++) {
        buf_addstr(b, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        put_string(b, s->name);
        buf_addf(b, ", \"records\": %" PRIu64 ", \"tokens\": %" PRIu64
                 ",\n     \"ranges\": [", s->records, s->tokens);
        for (size_t k = 0; k < s->n; k++)
            buf_addf(b, "%s[%" PRIu64 ", %" PRIu64 "]", k ? ", " : "",
                     s->range[k].begin, s->range[k].end);
        buf_addstr(b, "]}");
    }
    buf_addstr(b, m->n_splits ? "\n  ],\n" : "],\n");
}

static void
put_sampling(struct buf *b, const struct manifest *m)
{
    if (m->n_sampling == 0)
        return;
    buf_addstr(b, "  \"sampling\": [");
    for (size_t i = 0; i < m->n_sampling; i++) {
        buf_addstr(b, i ? ", " : "");
        put_string(b, m->sampling[i]);
    }
    buf_addstr(b, "],\n");
}

static void
put_leaks(struct buf *b, const struct manifest *m)
{
    const struct set_leak *l = m->leak;

    if (m->n_leaks == 0)
        return;
    buf_addstr(b, "  \"leaks\": [");
    for (size_t i = 0; i < m->n_leaks; i++, l++) {
        buf_addstr(b, i ? ",\n    {\"split\": " : "\n    {\"split\": ");
        put_string(b, l->split);
        buf_addf(b, ", \"edit\": %" PRIu64 ", \"content\": %" PRIu64
                 ", \"commit\": %" PRIu64 "}", l->edit, l->content,
                 l->commit);
    }
    buf_addstr(b, "\n  ],\n");
}

static void
put_origin(struct buf *b, const struct manifest *m)
{
    const struct ledger_line *l = m->ledger.line;

    buf_addstr(b, "  \"inputs\": [");
    for (size_t i = 0; i < m->n_inputs; i++)
        put_id(b, i ? ",\n    " : "\n    ", &m->input[i]);
    buf_addstr(b, m->n_inputs ? "\n  ],\n" : "],\n");
    for (size_t i = 0; i < m->n_segments; i++)
        buf_addf(b, "%s%" PRIu64 "%s", i ? ", " : "  \"segments\": [",
                 m->segment[i], i + 1 == m->n_segments ? "],\n" : "");
    buf_addstr(b, "  \"ledger\": [");
    for (size_t i = 0; i < m->ledger.n; i++, l++)
        buf_addf(b, "%s    {\"program\": \"%s\", \"reason\": \"%s\", "
                 "\"count\": %" PRIu64 "}", i ? ",\n" : "\n", l->program,
                 l->reason, l->count);
    buf_addstr(b, m->ledger.n ? "\n  ],\n" : "],\n");
}

void
manifest_format(struct buf *b, const struct manifest *m)
{
    size_t start = b->len;
    struct id id;

    buf_addstr(b, "{\n  \"format\": \"graft set\",\n");
    buf_addf(b, "  \"version\": %d,\n  \"type\": ", m->head.version);
    put_string(b, m->head.type);
    put_id(b, ",\n  \"content\": ", &m->content);
    buf_addf(b, ",\n  \"records\": %" PRIu64 ",\n  \"tensors\": %" PRIu64
             ",\n", m->records, m->tensors);
    put_head(b, &m->head);
    put_files(b, m);
    put_lengths(b, &m->lengths);
    put_splits(b, m);
    put_sampling(b, m);
    put_leaks(b, m);
    put_origin(b, m);
    id = id_of(b->data + start, b->len - start);
    put_id(b, "  \"check\": ", &id);
    buf_addstr(b, "\n}\n");
}

int
manifest_write(struct manifest *m, const char *dir, struct err *e)
{
    char *path = path_join(dir, MANIFEST_NAME);
    struct buf b;
    int rc;

    manifest_finish(m);
    buf_init(&b);
    manifest_format(&b, m);
    rc = file_update(path, b.data, b.len, NULL, e);
    buf_release(&b);
    free(path);
    return rc;
}
