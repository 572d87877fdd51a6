/* merge.c - merged bases: whole models against transformers with PEFT's
 * adapter beside them, single tensors against sums in double.
 */
#include "weights/merge.h"

#include <math.h>

#include "base/rng.h"
#include "golden_logits.h"
#include "weights/merge_tensor.h"

#define DIR "merge-test.tmp"

/* ---- whole models ---- */

/* The golden adapter's modules, borrowed from the file. */
static void
golden_adapter(struct adapter *a, const struct golden *g)
{
    *a = (struct adapter){ .item = mem_array(g->desc.n_modules,
                                             sizeof(*a->item)) };
    for (size_t i = 0; i < g->desc.n_modules; i++) {
        const struct module *m = &g->desc.module[i];
        char name[160];

        if (!module_is_linear(&g->desc, m))
            continue;
        snprintf(name, sizeof(name), "lora.%s.lora_A.weight", m->name);
        a->item[a->n] = (struct adapter_module){
            .name = m->name, .in = m->in, .out = m->out,
            .rank = GOLDEN_RANK, .alpha = GOLDEN_ALPHA,
            .a = golden_copy(g, name, NULL)
        };
        snprintf(name, sizeof(name), "lora.%s.lora_B.weight", m->name);
        a->item[a->n].b = golden_copy(g, name, NULL);
        snprintf(name, sizeof(name), "lora.%s.lora_magnitude_vector",
                 m->name);
        if (safetensors_find(&g->file, name) != NULL)
            a->item[a->n].magnitude = golden_copy(g, name, NULL);
        a->n++;
    }
}

static void
adapter_free(struct adapter *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free((void *)a->item[i].a);
        free((void *)a->item[i].b);
        free((void *)a->item[i].magnitude);
    }
    free(a->item);
}

/* Merges into DIR. */
static struct merge_counts
merge(const struct weights *w, const struct model_desc *d,
      const struct adapter *a, unsigned dtype)
{
    const struct merge_opts o = { .base = w, .desc = d, .adapter = a,
                                  .dtype = dtype };
    struct merge_counts n = { 0 };
    struct out_dir out;
    uint64_t bytes;
    struct err e;

    CHECK(path_remove(DIR, &e) == 0);
    CHECK(out_dir_open(&out, DIR, &e) == 0);
    if (!CHECK(merge_write(&out, &o, &n, &bytes, &e) == 0))
        printf("%s\n", e.text);
    CHECK(out_dir_commit(&out, &e) == 0);
    out_dir_release(&out);
    return n;
}

/* The rows' losses of the base in DIR are those of base and adapter. */
static void
check_losses(const char *name, const char *golden, const struct target *t)
{
    struct prog_opts o;
    struct session s;
    struct golden g;
    char *loss;

    golden_open_files(&g, name, DIR, golden);
    o = golden_opts(&g, PROG_EVAL, METHOD_NONE);
    session_open(&s, &g, &o, &t->backend);
    loss = view_at(s.run, &s.prog.row_loss);
    memset(loss, 0, g.rows * t->backend.real_size);
    session_forward(&s);
    for (uint32_t i = 0; i < g.rows; i++)
        if (g.weight[i] == 0)
            memset(loss + i * t->backend.real_size, 0, t->backend.real_size);
    compare(&s, loss, g.rows, "lora_row_loss", 1e-5);
    session_close(&s);
    golden_close(&g);
}

/* g, merged with the adapter of its file. */
static void
check_merged(const struct golden *g, const struct target *t, size_t n)
{
    struct merge_counts counts;
    struct adapter a;
    uint64_t all = 0;

    golden_adapter(&a, g);
    counts = merge(&g->weights, &g->desc, &a, DTYPE_NONE);
    for (size_t k = 0; k < a.n; k++)
        all += (uint64_t)a.item[k].in * a.item[k].out;
    CHECK(counts.deltas <= all && counts.deltas > all - 10);
    CHECK(counts.changed <= all && counts.changed > all - 100);
    check_losses(g->name, g->file.path, &t[0]);
    check_losses(g->name, g->file.path, &t[n - 1]);
    adapter_free(&a);
}

TEST(merged_models_compute_what_base_and_adapter_do)
{
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);
    struct golden g;
    struct err e;

    for (size_t i = 0; i < N_GOLDEN; i++) {
        golden_open(&g, golden_names[i]);
        check_merged(&g, t, n);
        golden_close(&g);
    }
    golden_open_files(&g, "llama", GOLDEN_DIR "llama",
                      GOLDEN_DIR "llama/dora.safetensors");
    check_merged(&g, t, n);
    golden_close(&g);
    golden_open_files(&g, "gpt2", GOLDEN_DIR "gpt2",
                      GOLDEN_DIR "gpt2/dora.safetensors");
    check_merged(&g, t, n);
    golden_close(&g);
    targets_close(t, n);
    CHECK(path_remove(DIR, &e) == 0);
}

/* The same tensors, of the same numbers; turn: the linears are turned. */
static void
check_same(const struct weights *w, const struct model_desc *d,
           const struct weights *merged, bool turn)
{
    uint8_t *use = mem_array(w->n, sizeof(*use));
    uint64_t wrong = 0;

    base_uses(use, w, d);
    CHECK_EQ_U64(merged->n, w->n);
    for (size_t i = 0; i < w->n; i++) {
        const struct weight *t = &w->item[i];
        const struct weight *u = weights_find(merged, t->name);
        uint64_t n = weight_elements(t), cols = t->shape[t->n_dims - 1];
        float *x = mem_array(n + 1, sizeof(*x));
        float *y = mem_array(n + 1, sizeof(*y));

        CHECK(u->dtype == DTYPE_F32 && weight_elements(u) == n);
        CHECK(u->shape[0] == t->shape[turn && use[i] == WEIGHT_LINEAR]);
        weight_floats(x, t, 0, n);
        weight_floats(y, u, 0, n);
        for (uint64_t k = 0; k < n; k++)
            wrong += x[k] != y[turn && use[i] == WEIGHT_LINEAR
                               ? k % cols * (n / cols) + k / cols : k];
        free(x);
        free(y);
    }
    CHECK_EQ_U64(wrong, 0);
    free(use);
}

/* With an adapter that adds nothing. */
static void
check_widened(const char *path, bool gpt2)
{
    struct weights w, merged;
    struct model_desc d, after;
    struct merge_counts n;
    struct adapter a = { .n = 1 };
    struct adapter_module m;
    const char *text;
    struct err e;
    size_t unused, i = 0, len;

    CHECK(weights_open(&w, path, &e) == 0);
    CHECK(base_describe(&d, &unused, &w, &e) == 0);
    while (!module_is_linear(&d, &d.module[i]))
        i++;
    m = (struct adapter_module){ .name = d.module[i].name,
                                 .in = d.module[i].in, .rank = 1,
                                 .alpha = 1, .out = d.module[i].out };
    m.a = mem_array(m.in, sizeof(float));
    m.b = mem_array(m.out, sizeof(float));
    a.item = &m;
    n = merge(&w, &d, &a, DTYPE_F32);
    CHECK(n.changed == 0 && n.deltas == 0);
    CHECK(weights_all_ready(&w, &e) == 0);
    CHECK(weights_open(&merged, DIR, &e) == 0);
    check_same(&w, &d, &merged, gpt2);
    CHECK(base_describe(&after, &unused, &merged, &e) == 0);
    CHECK(after.module[i].in_out == gpt2 && !after.turned);
    CHECK(weights_config(&merged, &text, &len, &e) == 0);
    CHECK(strstr(text, "quantization_config") == NULL);
    CHECK(strstr(text, "dtype\": \"float32\"") != NULL);
    desc_release(&after);
    weights_release(&merged);
    desc_release(&d);
    weights_release(&w);
    free((void *)m.a);
    free((void *)m.b);
}

TEST(quantised_bases_are_widened_as_transformers_has_them)
{
    static const char *const gguf[] = { "llama", "llama_k", "gpt2", "phi2" };
    struct target t[MAX_TARGETS];
    size_t n = targets_open(t);
    char base[96], golden[96];
    struct golden g;
    struct err e;

    for (size_t i = 0; i < 4; i++) {
        snprintf(base, sizeof(base), "tests/golden/gguf/%s.gguf", gguf[i]);
        snprintf(golden, sizeof(golden), "tests/golden/gguf/%s.safetensors",
                 gguf[i]);
        check_widened(base, strcmp(gguf[i], "gpt2") == 0);
        golden_open_files(&g, gguf[i], DIR, golden);
        check_logits(&g, &t[0], g.seq_len);
        golden_close(&g);
    }
    targets_close(t, n);
    check_widened("tests/golden/four_bit/nf4", false);
    check_widened("tests/golden/four_bit/nf4_double", false);
    check_widened("tests/golden/eight_bit/llama", false);
    check_widened("tests/golden/eight_bit/gpt2", true);
    CHECK(path_remove(DIR, &e) == 0);
}

/* ---- single tensors ---- */

enum { IN = 300, OUT = 21, RANK = 5 };

/* An adapter's matrices, and a base's, of normal numbers. */
struct numbers {
    float a[RANK * IN], b[OUT * RANK], magnitude[OUT], w[OUT * IN];
    double want[OUT * IN]; /* [OUT, IN] */
};

static void
draw(float *x, size_t n, double size, uint64_t seed)
{
    struct rng r;

    rng_init(&r, seed, 5);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(size * rng_normal(&r));
}

/* want = what PEFT's get_delta_weight and merge say, of w as bf16 has it. */
static void
numbers_init(struct numbers *x, double scale, bool dora)
{
    draw(x->a, RANK * IN, 0.1, 1);
    draw(x->b, OUT * RANK, 0.1, 2);
    draw(x->magnitude, OUT, 2, 3);
    draw(x->w, OUT * IN, 0.5, 4);
    memset(x->b + 3 * RANK, 0, RANK * sizeof(*x->b)); /* an output of norm 0 */
    memset(x->w + 3 * IN, 0, IN * sizeof(*x->w));
    for (size_t o = 0; o < OUT; o++) {
        double *want = x->want + o * IN, norm = 0;

        for (size_t i = 0; i < IN; i++) {
            double sum = 0;

            x->w[o * IN + i] = bf16_to_f32(f32_to_bf16(x->w[o * IN + i]));
            for (size_t k = 0; k < RANK; k++)
                sum += (double)x->b[o * RANK + k] * x->a[k * IN + i];
            want[i] = x->w[o * IN + i] + scale * sum;
            norm += want[i] * want[i];
        }
        for (size_t i = 0; i < IN && dora; i++)
            want[i] *= norm > 0 ? x->magnitude[o] / sqrt(norm) : 0;
    }
}

static int
write_out(void *ctx, const void *p, size_t n, struct err *e)
{
    return out_write(ctx, p, n, e);
}

/* Bytes of DIR as m's put writes them. */
static void
put(const struct merge_tensor *m, struct merge_counts *n, void *out,
    size_t size)
{
    struct file_map map;
    struct out o;
    struct merge_sink sink = { write_out, &o };
    struct err e;

    CHECK(out_open(&o, DIR, &e) == 0);
    CHECK(merge_tensor_put(m, n, &sink, &e) == 0);
    CHECK(out_commit(&o, &e) == 0);
    CHECK(file_map_open(&map, DIR, &e) == 0);
    CHECK_EQ_U64(map.n, size);
    memcpy(out, map.p, map.n < size ? map.n : size);
    file_map_release(&map);
    CHECK(path_remove(DIR, &e) == 0);
}

/* Stored as bf16 that way round, written in that type: no element is further
 * from what it should be than half a unit of the type and of float's sums. */
static void
check_tensor(unsigned dtype, bool in_out, bool turn, bool dora)
{
    static struct numbers x;
    static uint16_t stored[OUT * IN];
    static uint8_t out[OUT * IN * 4];
    static float got[OUT * IN];
    double unit = dtype == DTYPE_F32 ? 0x1p-24
                  : dtype == DTYPE_F16 ? 0x1p-11 : 0x1p-8;
    struct adapter_module add = { .name = "x", .in = IN, .out = OUT,
                                  .rank = RANK, .a = x.a, .b = x.b,
                                  .magnitude = dora ? x.magnitude : NULL };
    struct weight t = { .name = "x.weight", .dtype = DTYPE_BF16, .n_dims = 2,
                        .shape = { in_out ? IN : OUT, in_out ? OUT : IN },
                        .data = stored, .bytes = sizeof(stored) };
    struct merge_tensor m = { .t = &t, .dtype = dtype, .add = &add,
                              .scale = 1.7, .in_out = in_out, .turn = turn };
    struct merge_counts n = { 0 };
    uint64_t wrong = 0, changed = 0;

    numbers_init(&x, 1.7, dora);
    for (size_t i = 0; i < OUT * IN; i++)
        stored[in_out ? i % IN * OUT + i / IN : i] = f32_to_bf16(x.w[i]);
    put(&m, &n, out, OUT * IN * dtype_size(dtype));
    floats_load(got, out, dtype, OUT * IN);
    for (size_t i = 0; i < OUT * IN; i++) {
        float y = got[in_out || turn ? i % IN * OUT + i / IN : i];
        double want = x.want[i], size = fabs(want) + fabs(x.w[i]);

        wrong += !(fabs(y - want) <= unit * fabs(want) + 0x1p-20 * size
                                     + 0x1p-25);
        changed += y != x.w[i];
    }
    if (!CHECK_EQ_U64(wrong, 0))
        printf("    %s in_out %d turn %d dora %d\n", dtype_name(dtype),
               in_out, turn, dora);
    CHECK(n.deltas == (OUT - 1) * IN && n.changed == changed);
    CHECK(dora || (dtype == DTYPE_F32) == (changed == (OUT - 1) * IN));
}

TEST(every_way_that_a_matrix_lies_gets_what_is_added)
{
    static const unsigned types[] = { DTYPE_F32, DTYPE_BF16, DTYPE_F16 };

    for (size_t i = 0; i < 3; i++)
        for (int dora = 0; dora < 2; dora++) {
            check_tensor(types[i], false, false, dora);
            check_tensor(types[i], true, false, dora);
            check_tensor(types[i], false, true, dora);
        }
}

/* What a type does not hold is an error that names the element. */
TEST(what_is_not_finite_is_named)
{
    float data[4] = { 1, 2, 70000, 4 };
    struct weight t = { .name = "x", .dtype = DTYPE_F32, .n_dims = 1,
                        .shape = { 4 }, .data = data, .bytes = 16 };
    struct merge_tensor m = { .t = &t, .dtype = DTYPE_F16 };
    struct merge_counts n = { 0 };
    struct out out;
    struct merge_sink sink = { write_out, &out };
    struct err e;

    CHECK(out_open(&out, DIR, &e) == 0);
    CHECK(merge_tensor_put(&m, &n, &sink, &e) == ERR_DATA);
    CHECK_STR(e.text,
                 "tensor x: element 2 is 70000, which F16 can't hold");
    data[1] = NAN;
    m.dtype = DTYPE_F32;
    CHECK(merge_tensor_put(&m, &n, &sink, &e) == ERR_DATA);
    CHECK_STR(e.text, "tensor x: element 1 is nan");
    out_release(&out);
}

static const struct test tests[] = {
    RUN(merged_models_compute_what_base_and_adapter_do),
    RUN(quantised_bases_are_widened_as_transformers_has_them),
    RUN(every_way_that_a_matrix_lies_gets_what_is_added),
    RUN(what_is_not_finite_is_named)
};

TEST_MAIN("merge", tests)
