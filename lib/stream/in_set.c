/* in_set.c - the reader of a stream that is a shard set.
 *
 * Its segments are those that the set was made of: the manifest says how
 * many records each has, so the set gives the stream again that it came
 * from, each segment with the content id it had. What a file holds is
 * compared with the manifest at the file's end. The ledger is known of all
 * segments together, and comes with the last one; what shard counted there as
 * divided is in no split, but in the set, so that is not handed on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/frame.h"
#include "stream/in.h"
#include "stream/set.h"
#include "stream/set_part.h"

struct set_in {
    struct manifest m;
    struct stream_in file; /* file number `part`, where open */
    size_t part;
    bool open;
    uint64_t before;       /* bytes in the files before it */
    uint64_t left;         /* records of the segment */
    struct hash content;   /* of the segment */
    struct buf length;     /* of a record, as it is stored */
};

static size_t
n_segments(const struct set_in *s)
{
    return s->m.n_segments ? s->m.n_segments : 1;
}

static bool
is_last(const struct stream_in *in)
{
    return in->n_segments + 1 == n_segments(in->state);
}

static int
set_in_segment(struct stream_in *in, struct err *e)
{
    struct set_in *s = in->state;

    (void)e;
    if (in->n_segments == n_segments(s))
        return 0;
    stream_head_release(&in->head);
    stream_head_copy(&in->head, &s->m.head);
    stream_trailer_reset(&in->trailer);
    s->left = s->m.n_segments ? s->m.segment[in->n_segments] : s->m.records;
    hash_init(&s->content);
    head_content(&s->content, &in->head);
    return 1;
}

/* What a stream's trailer says, but for the index. */
static int
end_segment(struct stream_in *in)
{
    struct set_in *s = in->state;
    struct stream_trailer *t = &in->trailer;
    const struct ledger *l = &s->m.ledger;

    t->content = hash_id(&s->content);
    for (size_t i = 0; i < s->m.n_inputs && !s->m.n_segments; i++)
        if (!id_equal(&s->m.input[i], &t->content))
            stream_trailer_input(t, &s->m.input[i]);
    for (size_t i = 0; i < l->n && is_last(in); i++)
        if (strcmp(l->line[i].program, "shard") != 0
            || strcmp(l->line[i].reason, "commit-divided") != 0)
            ledger_add(&t->ledger, l->line[i].program, l->line[i].reason,
                       l->line[i].count);
    in->n_segments++;
    return 0;
}

/* The file that is open has ended. */
static int
next_file(struct stream_in *in, struct err *e)
{
    struct set_in *s = in->state;
    int rc = set_part_end(&s->file, &s->m, s->part, e);

    if (rc < 0)
        return rc;
    stream_in_release(&s->file);
    s->open = false;
    s->before += s->m.file[s->part++].bytes;
    return 0;
}

/* Counts the record and adds it to the content id. */
static void
see(struct stream_in *in, struct stream_rec *rec)
{
    struct set_in *s = in->state;
    struct stream_trailer *t = &in->trailer;

    if (rec->kind == FRAME_TENSOR) {
        t->tensors++;
        t->data += rec->data;
    } else {
        buf_reset(&s->length);
        buf_varint(&s->length, rec->n);
        hash_add(&s->content, s->length.data, s->length.len);
        t->raw += s->length.len + rec->n;
        rec->index = t->records++;
        in->n_records++;
        s->left--;
    }
    hash_add(&s->content, rec->p, rec->n);
}

static int
next_record(struct stream_in *in, struct stream_rec *rec, struct err *e)
{
    struct set_in *s = in->state;
    int rc;

    /* The last segment goes on to the end of the last file. */
    while (s->left > 0 || is_last(in)) {
        if (!s->open && s->part == s->m.n_files)
            break;
        if (!s->open) {
            rc = set_part_open(&s->file, &s->m, in->in.name, s->part, e);
            if (rc < 0)
                return rc;
            s->open = true;
            s->file.check_content = in->check_content;
        }
        rc = stream_in_record(&s->file, rec, e);
        in->in.at = s->before + s->file.in.at;
        if (rc < 0)
            return rc;
        if (rc > 0) {
            see(in, rec);
            return 1;
        }
        rc = next_file(in, e);
        if (rc < 0)
            return rc;
    }
    return end_segment(in);
}

static int
set_in_data(struct stream_in *in, void *p, size_t n, size_t *got, struct err *e)
{
    struct set_in *s = in->state;
    const struct id *block;
    int rc;

    if (!s->open)
        return 0;
    rc = stream_in_data(&s->file, p, n, got, e);
    if (rc < 0 || *got == 0)
        return rc;
    block = stream_in_block(&s->file);
    if (in->head.version == 1)
        hash_add(&s->content, p, *got);
    else if (block)
        hash_add(&s->content, block->b, ID_BYTES);
    return 0;
}

static const struct id *
set_in_block(const struct stream_in *in)
{
    const struct set_in *s = in->state;

    return stream_in_block(&s->file);
}

/* First the data that the caller did not want: they are part of the content
 * id. */
static int
set_in_record(struct stream_in *in, struct stream_rec *rec, struct err *e)
{
    char unwanted[16 << 10];
    size_t got;
    int rc;

    do {
        got = 0;
        rc = set_in_data(in, unwanted, sizeof(unwanted), &got, e);
    } while (rc == 0 && got > 0);
    return rc < 0 ? rc : next_record(in, rec, e);
}

static void
set_in_release(struct stream_in *in)
{
    struct set_in *s = in->state;

    if (s->open)
        stream_in_release(&s->file);
    manifest_release(&s->m);
    buf_release(&s->length);
    free(s);
}

static const struct in_kind set_kind = {
    set_in_segment, set_in_record, set_in_data, set_in_block, set_in_release
};

int
in_set_open(struct stream_in *in, const char *path, const char *type,
            struct err *e)
{
    struct manifest m;
    struct set_in *s;
    int rc;

    memset(in, 0, sizeof(*in));
    in->in.fd = -1;
    rc = set_manifest(&m, path, type, e);
    if (rc < 0)
        return rc;
    s = mem_alloc(sizeof(*s));
    s->m = m;
    buf_init(&s->length);
    stream_head_init(&in->head, "");
    stream_trailer_init(&in->trailer);
    in->in.name = mem_strdup(path);
    for (size_t i = 0; i < m.n_files; i++)
        in->in.size += m.file[i].bytes;
    in->state = s;
    in->kind = &set_kind;
    return 0;
}
