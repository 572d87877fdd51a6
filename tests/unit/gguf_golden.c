/* gguf_golden.c - GGUF files as bases, against what transformers makes of
 * them: golden/gguf_models.py says what the files hold. */
#include "golden_logits.h"

static const char *const names[] = {
    "llama", "llama_q8_0", "llama_q4", "llama_k", "qwen2", "qwen3",
    "qwen3moe", "granite", "olmo2", "starcoder2", "gpt2", "phi2",
};

#define N_CASES (sizeof(names) / sizeof(names[0]))

static void
open_case(struct golden *g, const char *name)
{
    char base[256], golden[256];

    snprintf(base, sizeof(base), "tests/golden/gguf/%s.gguf", name);
    snprintf(golden, sizeof(golden), "tests/golden/gguf/%s.safetensors",
             name);
    golden_open_files(g, name, base, golden);
}

TEST(logits_are_those_of_transformers)
{
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);

    for (size_t i = 0; i < N_CASES; i++) {
        struct golden g;

        open_case(&g, names[i]);
        for (size_t k = 0; k < n; k++) {
            check_logits(&g, &t[k], g.seq_len);
            check_logits(&g, &t[k], 1);
        }
        golden_close(&g);
    }
    targets_close(t, n);
}

/* The fastest back end there is. */
static void
open_fastest(struct backend *b)
{
    CHECK(isa_open(b, "avx512") || isa_open(b, "avx2")
          || isa_open(b, "generic"));
}

/* Every step-th of the logits, and the loss of each row but the last. */
static void
check_sample(struct session *s, const struct safetensors *f, uint32_t rows)
{
    const double *want = safetensors_data(f, safetensors_find(f, "logits"));
    const double *loss = safetensors_data(f, safetensors_find(f, "row_loss"));
    uint32_t vocab = s->g->desc.vocab, step = 64, part = vocab / step;
    const float *got = view_at(s->run, &s->prog.logits);
    double diff = 0, norm = 0;

    for (uint32_t i = 0; i < rows; i++) {
        const float *x = got + (size_t)i * vocab;
        double sum = 0, d, w;

        for (uint32_t k = 0; k < part; k++) {
            memcpy(&w, &want[i * part + k], sizeof(w));
            d = (double)x[k * step] - w;
            diff += d * d;
            norm += w * w;
        }
        for (uint32_t k = 0; k < vocab; k++)
            sum += exp((double)x[k]);
        if (i + 1 < rows) {
            memcpy(&w, &loss[i], sizeof(w));
            CHECK(fabs(log(sum) - (double)x[s->g->ids[i + 1]] - w) < 1e-4);
        }
    }
    if (!CHECK(sqrt(diff) <= 1e-5 * sqrt(norm)))
        printf("  the logits are off by %.2e of their norm\n",
               sqrt(diff / norm));
}

/* golden/smollm2.py says which file. */
TEST(a_real_file)
{
    const char *path = getenv("GRAFT_SMOLLM2");
    enum { ROWS = 16 };
    int32_t pos[ROWS], before = 0, n = ROWS;
    struct golden g = { .name = "smollm2" };
    struct backend b;
    struct session s;
    struct prog_opts o;
    struct err e;
    size_t unused;

    if (path == NULL)
        SKIP("no GRAFT_SMOLLM2");
    CHECK(safetensors_open(&g.file, "tests/golden/smollm2.safetensors",
                           SAFETENSORS_MAX_HEADER, &e) == 0);
    CHECK(weights_open(&g.weights, path, &e) == 0
          && base_describe(&g.desc, &unused, &g.weights, &e) == 0
          && weights_all_ready(&g.weights, &e) == 0
          && base_bind(&g.base, &g.weights, &g.desc, &e) == 0);
    g.ids = golden_copy(&g, "ids", NULL);
    g.target = mem_array(ROWS, sizeof(*g.target));
    g.doc_first = mem_array(ROWS, sizeof(*g.doc_first));
    g.weight = mem_array(ROWS, sizeof(*g.weight));
    open_fastest(&b);
    o = golden_opts(&g, PROG_DECODE, METHOD_NONE);
    o.batch = 1;
    o.seq_len = o.cache_len = ROWS;
    o.head_chunk = 0;
    g.rows = g.n_head = ROWS;
    g.tokens = ROWS;
    session_open(&s, &g, &o, &b);
    for (int32_t i = 0; i < ROWS; i++)
        pos[i] = i;
    s.batch.pos = s.batch.head_row = pos;
    s.batch.cache_at = &before;
    s.batch.seq_n = &n;
    session_forward(&s);
    check_sample(&s, &g.file, ROWS);
    session_close(&s);
    cpu_close(&b);
    golden_close(&g);
}

static const struct test tests[] = {
    RUN(logits_are_those_of_transformers), RUN(a_real_file),
};

TEST_MAIN("gguf_golden", tests)
