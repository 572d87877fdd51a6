/* stream_made.h - small streams of each type for tests of streams. */
#ifndef STREAM_MADE_H
#define STREAM_MADE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/tensor.h"
#include "record/text.h"
#include "record/tokens.h"
#include "stream/stream.h"

static char made_dir[] = "/tmp/graft-stream-XXXXXX";

static inline const char *
made_path(const char *name)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", made_dir, name);
    return p;
}

static inline int
made_text(struct stream_out *o, int n, struct err *e)
{
    struct stream_head h;
    struct text_rec r;
    struct buf b;
    int rc;

    stream_head_init(&h, "text");
    stream_head_set(&h, "repo", "naïve repository");
    stream_head_prov(&h, "gitscrape 1 --context 16");
    stream_head_after(&h, 12, "00ff");
    rc = stream_out_begin(o, &h, e);
    stream_head_release(&h);
    text_init(&r);
    buf_init(&b);
    for (int i = 0; rc == 0 && i < n; i++) {
        char number[16];

        snprintf(number, sizeof(number), "%d", i);
        text_begin(&r, i % 2 ? TEXT_DOC : TEXT_COMMIT);
        if (i % 2 == 0)
            text_add_str(&r, "ordinal", number);
        text_add_str(&r, i % 2 ? "text" : "subject", "said once, said once");
        text_add(&r, "body", "", i % 3 ? 0 : 1);
        buf_reset(&b);
        rc = text_encode(&b, &r, e);
        if (rc == 0)
            rc = stream_out_record(o, b.data, b.len, e);
    }
    text_release(&r);
    buf_release(&b);
    stream_out_skip(o, "gitscrape", "binary", 3);
    return rc < 0 ? rc : stream_out_end(o, e);
}

static inline int
made_tokens(struct stream_out *o, int n, struct err *e)
{
    struct tokens_origin origin = {.quality = -7, .time = -1, .group = 5};
    static const uint32_t ids[] = {1, 2, 3, 65535, 0, 7};
    static const uint8_t loss[] = {0, 0, 1, 1, 0, 1};
    struct stream_head h;
    struct buf b;
    int rc;

    stream_head_init(&h, "tokens");
    stream_head_set_u64(&h, "vocab", 65536);
    rc = stream_out_begin(o, &h, e);
    stream_head_release(&h);
    buf_init(&b);
    for (int i = 0; rc == 0 && i < n; i++) {
        origin.ordinal = (uint64_t)i;
        buf_reset(&b);
        rc = tokens_encode(&b, &origin, ids, loss, (size_t)(i % 7), 65536, e);
        if (rc == 0)
            rc = stream_out_record(o, b.data, b.len, e);
    }
    buf_release(&b);
    return rc < 0 ? rc : stream_out_end(o, e);
}

static inline int
made_weights(struct stream_out *o, int n, struct err *e)
{
    static const char data[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct tensor_desc d = {.name = "w", .dtype = DTYPE_I8, .n_dims = 2};
    struct stream_head h;
    struct buf b;
    int rc;

    stream_head_init(&h, "weights");
    rc = stream_out_begin(o, &h, e);
    stream_head_release(&h);
    buf_init(&b);
    if (rc == 0)
        rc = asset_encode(&b, "config.json", "{}", 2, e);
    if (rc == 0)
        rc = stream_out_record(o, b.data, b.len, e);
    for (int i = 0; rc == 0 && i < n; i++) {
        d.shape[0] = (uint64_t)i;
        d.shape[1] = 9;
        buf_reset(&b);
        rc = tensor_encode(&b, &d, e);
        if (rc == 0)
            rc = stream_out_tensor(o, b.data, b.len, 9 * (uint64_t)i, e);
        if (rc == 0)
            rc = stream_out_data(o, data, 9 * (size_t)i, e);
    }
    buf_release(&b);
    return rc < 0 ? rc : stream_out_end(o, e);
}

typedef int made_fn(struct stream_out *o, int n, struct err *e);

/* Writes a file of n_segments segments of n records each. */
static inline int
made_file(const char *path, made_fn *fn, int n, int n_segments,
          struct err *e)
{
    struct stream_out o;
    int rc = stream_out_open(&o, path, e);

    if (rc < 0)
        return rc;
    for (int i = 0; rc == 0 && i < n_segments; i++)
        rc = fn(&o, n, e);
    if (rc == 0)
        return stream_out_close(&o, e);
    stream_out_release(&o);
    return rc;
}

/* Reads all of path; every record and descriptor is decoded. Counts records
 * and tensors, and folds everything handed out into *sum. */
static inline int
made_read(const char *path, uint64_t *n, struct id *sum, bool content,
          struct err *e)
{
    struct text_rec text;
    struct stream_rec rec;
    struct stream_in in;
    struct hash h;
    char data[100];
    size_t got;
    int rc = stream_in_open(&in, path, NULL, e);

    if (rc < 0)
        return rc;
    in.check_content = content;
    *n = 0;
    hash_init(&h);
    text_init(&text);
    while ((rc = stream_in_segment(&in, e)) > 0) {
        while ((rc = stream_in_record(&in, &rec, e)) > 0) {
            *n += 1;
            hash_field(&h, rec.p, rec.n);
            if (rec.kind == FRAME_TENSOR)
                while ((rc = stream_in_data(&in, data, sizeof(data), &got,
                                            e)) == 0 && got)
                    hash_add(&h, data, got);
            else if (in.head.type[1] == 'e' && in.head.type[0] == 't')
                rc = text_decode(&text, rec.p, rec.n, e);
            if (rc < 0)
                break;
        }
        if (rc < 0)
            break;
    }
    if (sum)
        *sum = hash_id(&h);
    text_release(&text);
    stream_in_release(&in);
    return rc;
}

#endif
