/* manifest.c - any bytes as the manifest of a set: what is read has the head
 * of a stream, files of as many records as it says, and splits that lie in
 * these. Two hashes keep other bytes out, so they are put right here: the
 * check at the end, and the content id, which the reader's message tells. */
#include "stream/manifest.h"

#include <string.h>

#include "scratch.h"

#define CHECK "  \"check\": \""
#define CONTENT "\"content\": \""
#define EXPECTED "expected "

/* The last place of the word in the text that has n bytes behind it. */
static char *
last(struct buf *text, const char *word, size_t n)
{
    size_t len = strlen(word), i = text->len;

    while (i-- > 0)
        if (text->len - i >= len + n
            && memcmp(text->data + i, word, len) == 0)
            return text->data + i;
    return NULL;
}

static int
read_checked(struct manifest *m, struct buf *text, const char *path,
             struct err *e)
{
    char hex[ID_HEX + 1], *at = last(text, CHECK, ID_HEX);
    struct id id;

    if (at) {
        id = id_of(text->data, (size_t)(at - text->data));
        memcpy(at + strlen(CHECK), id_hex(&id, hex), ID_HEX);
    }
    scratch_put(path, text->data, text->len);
    e->text[0] = '\0';
    return manifest_read(m, path, e);
}

/* Puts the content id of the message into the text. */
static bool
put_content(struct buf *text, const char *message)
{
    char *at = text->data ? strstr(text->data, CONTENT) : NULL;
    const char *id = strstr(message, EXPECTED);
    struct id ignored;

    if (!at || !strstr(message, "content id") || !id)
        return false;
    id += strlen(EXPECTED);
    at += strlen(CONTENT);
    if (strlen(id) < ID_HEX || strlen(at) < ID_HEX
        || !id_parse(&ignored, id, ID_HEX))
        return false;
    memcpy(at, id, ID_HEX);
    return true;
}

static void
look_at_head(const struct stream_head *h)
{
    struct stream_head back;
    struct buf b;
    struct err e;

    buf_init(&b);
    if (stream_head_format(&b, h, &e) == ERR_LIMIT) /* many prov lines */
        return;
    MUST(b.len > 0);
    MUST(stream_head_parse(&back, b.data, b.len, "again", &e) == 0);
    MUST(back.n_keys == h->n_keys && back.n_prov == h->n_prov);
    MUST(stream_head_same(h, &back, "again", &e) == 0);
    stream_head_release(&back);
    buf_release(&b);
}

static void
look_at_splits(const struct manifest *m)
{
    for (size_t i = 0; i < m->n_splits; i++) {
        const struct set_split *s = &m->split[i];
        uint64_t records = 0;

        MUST(manifest_split(m, s->name) == s);
        for (size_t k = 0; k < s->n; k++) {
            const struct set_range *r = &s->range[k];

            MUST(r->begin < r->end && r->end <= m->records);
            MUST(k == 0 || r[-1].end < r->begin);
            MUST(strcmp(manifest_split_of(m, r->begin), s->name) == 0);
            records += r->end - r->begin;
        }
        MUST(records == s->records);
    }
}

static void
look_at_leaks(const struct manifest *m)
{
    for (size_t i = 0; i < m->n_leaks; i++) {
        const struct set_leak *l = &m->leak[i];
        const struct set_split *s = manifest_split(m, l->split);

        MUST(s && l->edit <= s->records && l->content <= s->records
             && l->commit <= s->records);
    }
    for (size_t i = 0; i < m->n_sampling; i++)
        MUST(manifest_rule_allowed(m->sampling[i]));
}

static void
look(const struct manifest *m, const struct buf *text)
{
    uint64_t left = m->records;
    struct buf b;

    for (size_t i = 0; i < m->n_files; i++) {
        MUST(m->file[i].records <= left);
        left -= m->file[i].records;
    }
    MUST(left == 0);
    MUST(m->n_segments == 0 || m->n_segments == m->n_inputs);
    look_at_head(&m->head);
    look_at_splits(m);
    look_at_leaks(m);
    buf_init(&b);
    manifest_format(&b, m);
    MUST(b.len == text->len && memcmp(b.data, text->data, b.len) == 0);
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *path = scratch_path(MANIFEST_NAME);
    struct manifest m;
    struct buf text;
    struct err e;
    int rc;

    buf_init(&text);
    buf_add(&text, data, size);
    rc = read_checked(&m, &text, path, &e);
    if (rc < 0 && put_content(&text, e.text))
        rc = read_checked(&m, &text, path, &e);
    if (rc == 0) {
        look(&m, &text);
        manifest_release(&m);
    } else {
        MUST(e.text[0]);
    }
    buf_release(&text);
    free(path);
    return 0;
}
