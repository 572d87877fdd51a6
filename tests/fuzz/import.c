/* import.c - any bytes as the files of ids that other trainers have: what
 * becomes a stream goes into such files, and back into the same stream.
 *
 * The first byte chooses the format and what the user says of it. Then come
 * the header of a file of llm.c, without the zeros that end it, and the ids;
 * or how many bytes the index of Megatron-LM's files has, it, and the ids.
 */
#include "record/import.h"

#include <string.h>

#include "record/export.h"
#include "scratch.h"

#define LLMC_SAID 12 /* bytes of the header */
#define LLMC_ZEROS 1012

static const char *const names[] = {
    "in", "in.idx", "in.bin", "out", "out.idx", "out.bin", "stream", "again"
};

static void
put(const char *name, const void *p, size_t n)
{
    char *path = scratch_path(name);

    scratch_put(path, p, n);
    free(path);
}

static void
put_llmc(const uint8_t *p, size_t n)
{
    static const char zeros[LLMC_ZEROS];
    size_t said = n < LLMC_SAID ? n : LLMC_SAID;
    struct buf b;

    buf_init(&b);
    buf_add(&b, p, said);
    if (said == LLMC_SAID)
        buf_add(&b, zeros, sizeof(zeros));
    buf_add(&b, p + said, n - said);
    put("in", b.data, b.len);
    buf_release(&b);
}

static void
put_megatron(const uint8_t *p, size_t n)
{
    size_t index;

    if (n < 2)
        return;
    index = p[0] | (size_t)p[1] << 8;
    p += 2;
    n -= 2;
    index = index < n ? index : n;
    put("in.idx", p, index);
    put("in.bin", p + index, n - index);
}

/* The stream of what `from` names, and its content id. */
static int
take(struct import *m, import_format *format, const char *from,
     const char *name, struct id *content)
{
    char *path = scratch_path(from), *to = scratch_path(name);
    struct stream_out out;
    struct err e = {0};
    int rc;

    m->out = &out;
    MUST(stream_out_open(&out, to, &e) == 0);
    rc = format(m, path, &e);
    MUST(rc == 0 || e.text[0]);
    if (rc == 0) {
        *content = out.trailer.content;
        MUST(stream_out_close(&out, &e) == 0);
    } else {
        stream_out_release(&out);
    }
    free(path);
    free(to);
    return rc;
}

/* As files of that format, from the stream. */
static void
give(const struct import *m, export_format *format)
{
    char *stream = scratch_path("stream"), *to = scratch_path("out");
    struct export x = {0};
    struct err e;

    MUST(format(&x, to, stream, NULL, &e) == 0);
    MUST(x.records == m->records && x.tokens == m->tokens);
    MUST(x.masked == 0 && x.empty == 0);
    free(stream);
    free(to);
}

static void
try(const struct import *asked, import_format *in, export_format *out)
{
    struct import m = *asked, back = *asked;
    struct id content, content_back;

    if (take(&m, in, "in", "stream", &content) < 0 || m.tokens == 0)
        return;
    give(&m, out);
    MUST(take(&back, in, "out", "again", &content_back) == 0);
    MUST(back.records == m.records && back.tokens == m.tokens);
    MUST(back.empty == 0 && id_equal(&content, &content_back));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t vocab[] = {16, 300, 1 << 16, 1u << 31};
    struct import m = {.program = "fuzz"};
    char *path;

    if (size == 0)
        return 0;
    m.parted = data[0] >> 1 & 1;
    m.vocab = vocab[data[0] >> 2 & 3];
    m.end = data[0] >> 4;
    if (data[0] & 1)
        put_megatron(data + 1, size - 1);
    else
        put_llmc(data + 1, size - 1);
    if (data[0] & 1)
        try(&m, import_megatron, export_megatron);
    else
        try(&m, import_llmc, export_llmc);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        path = scratch_path(names[i]);
        unlink(path);
        free(path);
    }
    return 0;
}
