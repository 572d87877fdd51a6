/* bitsandbytes_write.c - a model directory in 4 bits of a GGUF file, whose
 * queries are put in order when they are read: tests/cli/quantize.bats has
 * the rest, of directories. */
#include "weights/bitsandbytes_write.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gguf_made.h"
#include "test.h"

#define FILE_NAME "bitsandbytes-write-test.tmp"
#define DIR "bitsandbytes-write-dir.tmp"
#define QUERY "model.layers.0.self_attn.q_proj.weight"

enum { DIM = 64, HEADS = 2 };

/* Each row of the queries has its number, so 4 bits and a scale hold it. */
static void
make_file(void)
{
    static const char *const keys[] = {
        "llama.context_length", "llama.embedding_length",
        "llama.feed_forward_length"
    };
    const uint64_t ne[2] = { DIM, DIM };
    float x[DIM * DIM];
    struct gguf_made m;

    for (uint32_t i = 0; i < DIM * DIM; i++)
        x[i] = (float)(i / DIM);
    made_init(&m);
    made_string(&m, "general.architecture", "llama");
    for (size_t i = 0; i < 3; i++)
        made_u32(&m, keys[i], DIM);
    made_u32(&m, "llama.block_count", 1);
    made_u32(&m, "llama.attention.head_count", HEADS);
    made_f32(&m, "llama.attention.layer_norm_rms_epsilon", 0x1p-17f);
    made_tensor(&m, "token_embd.weight", 0, 2, ne, NULL, sizeof(x));
    made_tensor(&m, "blk.0.attn_q.weight", 0, 2, ne, x, sizeof(x));
    CHECK(made_write(&m, FILE_NAME));
    made_release(&m);
}

static void
write_dir(const struct weights *w)
{
    uint8_t *use = mem_array(w->n, sizeof(*use));
    const struct bitsandbytes_how how = { DTYPE_NF4, false, false };
    struct out_dir out;
    uint64_t bytes = 0;
    struct err e;

    for (size_t i = 0; i < w->n; i++)
        use[i] = strcmp(w->item[i].name, QUERY) == 0 ? WEIGHT_LINEAR
                                                     : WEIGHT_OTHER;
    CHECK(out_dir_open(&out, DIR, &e) == 0);
    CHECK(bitsandbytes_write(&out, &bytes, w, use, &how, &e) == 0);
    CHECK(bytes > DIM * DIM / 2);
    CHECK(out_dir_commit(&out, &e) == 0);
    out_dir_release(&out);
    free(use);
}

TEST(queries_of_a_gguf_file_are_written_in_order)
{
    struct weights file, dir;
    const struct weight *t, *u;
    float want[DIM * DIM], got[DIM * DIM];
    struct err e;

    make_file();
    CHECK(weights_open(&file, FILE_NAME, &e) == 0);
    t = weights_find(&file, QUERY);
    CHECK(t != NULL && t->heads == HEADS && t->data == NULL);
    write_dir(&file);
    CHECK(t->data == NULL); /* nothing is kept */
    CHECK(weights_ready(&file, t, &e) == 0);
    weight_floats(want, t, 0, DIM * DIM);
    CHECK(want[DIM] == 2 && want[DIM / HEADS / 2 * DIM] == 1);
    CHECK(weights_open(&dir, DIR, &e) == 0);
    u = weights_find(&dir, QUERY);
    CHECK(u != NULL && u->dtype == DTYPE_NF4);
    weight_floats(got, u, 0, DIM * DIM);
    CHECK(memcmp(got, want, sizeof(got)) == 0);
    weights_release(&dir);
    weights_release(&file);
    CHECK(path_remove(FILE_NAME, &e) == 0 && path_remove(DIR, &e) == 0);
}

static const struct test tests[] = {
    RUN(queries_of_a_gguf_file_are_written_in_order),
};

TEST_MAIN("bitsandbytes_write", tests)
