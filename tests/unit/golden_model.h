/* golden_model.h - the models of tests/golden/models, opened, and programs
 * of them run on their batch. golden/models.py says what the files hold.
 *
 * Run from the top of the source tree.
 */
#ifndef GOLDEN_MODEL_H
#define GOLDEN_MODEL_H

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/par.h"
#include "kernels/host.h"
#include "model/prog.h"
#include "tensor/safetensors.h"
#include "test.h"
#include "weights/base.h"

#define GOLDEN_DIR "tests/golden/models/"

static const char *const golden_names[] = {
    "llama", "llama_tied", "llama_llama3", "mistral", "qwen2", "qwen2_yarn",
    "qwen3", "qwen3_windows", "granite", "olmo2", "gemma", "gemma3",
    "starcoder2", "gpt2", "gpt_bigcode", "phi", "phi_tied", "phi3",
    "phi3_longrope", "mamba", "mamba2", "mamba2_tied", "jamba", "mixtral",
    "jamba_experts", "qwen2_moe", "qwen2_moe_norm", "qwen3_moe"
};
#define N_GOLDEN (sizeof(golden_names) / sizeof(golden_names[0]))

enum { GOLDEN_RANK = 4, GOLDEN_ALPHA = 8 };

struct golden {
    const char *name;
    struct weights weights;
    struct model_desc desc;
    struct frozen base;
    struct safetensors file;
    uint32_t batch, seq_len, rows, n_docs;
    int32_t *ids, *target, *pos, *doc_first, *head_row, *doc;
    float *weight;
    uint32_t n_head;
    double tokens; /* sum of weight */
};

/* A copy of a golden tensor; exits when it is not there. */
static inline void *
golden_copy(const struct golden *g, const char *name, size_t *bytes)
{
    const struct safetensor *t = safetensors_find(&g->file, name);

    if (t == NULL) {
        printf("%s: no %s\n", g->file.path, name);
        exit(1);
    }
    if (bytes)
        *bytes = (size_t)t->bytes;
    return mem_dup(safetensors_data(&g->file, t), (size_t)t->bytes);
}

static inline void
golden_batch(struct golden *g)
{
    size_t bytes;
    int32_t *shape = golden_copy(g, "shape", NULL);

    g->batch = (uint32_t)shape[0];
    g->seq_len = (uint32_t)shape[1];
    g->rows = g->batch * g->seq_len;
    free(shape);
    g->ids = golden_copy(g, "ids", NULL);
    g->target = golden_copy(g, "target", NULL);
    g->weight = golden_copy(g, "weight", NULL);
    g->doc = golden_copy(g, "doc", &bytes);
    g->n_docs = (uint32_t)(bytes / (2 * sizeof(int32_t)));
    g->pos = mem_array(g->rows, sizeof(int32_t));
    g->doc_first = mem_array(g->rows, sizeof(int32_t));
    g->head_row = mem_array(g->rows, sizeof(int32_t));
    for (uint32_t d = 0; d < g->n_docs; d++)
        for (int32_t i = 0; i < g->doc[2 * d + 1]; i++) {
            int32_t row = g->doc[2 * d] + i;

            g->pos[row] = i;
            g->doc_first[row] = g->doc[2 * d];
            if (g->weight[row] > 0)
                g->head_row[g->n_head++] = row;
            g->tokens += (double)g->weight[row];
        }
}

/* Opens the base and what is known of it. */
static inline void
golden_open_files(struct golden *g, const char *name, const char *base,
                  const char *golden)
{
    struct err e;
    size_t unused;
    int rc;

    memset(g, 0, sizeof(*g));
    g->name = name;
    rc = safetensors_open(&g->file, golden, SAFETENSORS_MAX_HEADER, &e);
    if (rc == 0)
        rc = weights_open(&g->weights, base, &e);
    if (rc == 0)
        rc = base_describe(&g->desc, &unused, &g->weights, &e);
    if (rc == 0)
        rc = weights_all_ready(&g->weights, &e);
    if (rc == 0)
        rc = base_bind(&g->base, &g->weights, &g->desc, &e);
    if (rc < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    golden_batch(g);
}

static inline void
golden_open(struct golden *g, const char *name)
{
    char base[256], golden[300];

    snprintf(base, sizeof(base), GOLDEN_DIR "%s", name);
    snprintf(golden, sizeof(golden), "%s/golden.safetensors", base);
    golden_open_files(g, name, base, golden);
}

static inline void
golden_close(struct golden *g)
{
    free(g->ids);
    free(g->target);
    free(g->pos);
    free(g->doc_first);
    free(g->head_row);
    free(g->weight);
    free(g->doc);
    base_unbind(&g->base);
    desc_release(&g->desc);
    weights_release(&g->weights);
    safetensors_release(&g->file);
}

static inline struct prog_opts
golden_opts(const struct golden *g, enum prog_mode mode, enum method method)
{
    return (struct prog_opts){
        .mode = (uint8_t)mode, .method = (uint8_t)method,
        .batch = g->batch, .seq_len = g->seq_len, .head_chunk = 16,
        .rank = GOLDEN_RANK, .alpha = GOLDEN_ALPHA,
        .optimizer = OPT_ADAMW, .decay = 0.01f, .beta1 = 0.9f,
        .beta2 = 0.999f, .adam_eps = 1e-8f, .clip = 1
    };
}

/* A program with memory, inputs, batch, and what came out. */
struct session {
    const struct golden *g;
    struct prog prog;
    struct exec exec;
    struct run *run; /* the memory, as a host back end has it */
    struct inputs in;
    struct results out;
    struct batch batch;
};

/* The parameter becomes the golden file's "lora.NAME". */
static inline void
session_set_lora(struct session *s, const struct param *q)
{
    struct view view = prog_param(q, s->prog.params);
    char name[128], full[160];
    struct err e;
    float *v;

    prog_param_name(q, name);
    snprintf(full, sizeof(full), "lora.%s", name);
    v = golden_copy(s->g, full, NULL);
    CHECK(exec_put(&s->exec, &view, v, &e) == 0);
    free(v);
}

/* Builds and takes memory, full of NaN in the arena; sets parameters from
 * the base or the golden adapter. Exits on failure. */
static inline void
session_open(struct session *s, const struct golden *g,
             const struct prog_opts *o, const struct backend *b)
{
    struct err e;
    int rc;

    memset(s, 0, sizeof(*s));
    s->g = g;
    rc = prog_build(&s->prog, &g->desc, o, &g->base, b, &e);
    if (rc == 0)
        rc = exec_open(&s->exec, &s->prog, b, NULL, &e);
    if (rc < 0) {
        printf("%s: %s\n", g->name, e.text);
        exit(1);
    }
    s->run = host_memory_run(s->exec.memory);
    memset(s->run->zone[ZONE_ARENA], 0xff, s->prog.zone_bytes[ZONE_ARENA]);
    if (o->method == METHOD_FULL)
        CHECK(exec_load_base(&s->exec, &g->base, &e) == 0);
    for (size_t i = 0; i < s->prog.n_params && o->method == METHOD_LORA; i++)
        session_set_lora(s, &s->prog.param[i]);
    s->batch = (struct batch){ .ids = g->ids, .target = g->target,
                               .pos = g->pos, .doc_first = g->doc_first,
                               .head_row = g->head_row, .weight = g->weight,
                               .n = g->rows };
    s->in = (struct inputs){ .seed = 11, .lr = 0.01,
                             .inv_tokens = 1 / g->tokens,
                             .n_head = g->n_head };
}

static inline void
session_close(struct session *s)
{
    exec_release(&s->exec);
    prog_release(&s->prog);
}

static inline void
session_range(struct session *s, enum range r)
{
    struct err e;

    if (!CHECK(exec_range(&s->exec, r, &e) == 0))
        printf("%s\n", e.text);
    s->out = *s->run->out;
}

/* FWD and HEAD. */
static inline void
session_forward(struct session *s)
{
    struct err e;

    s->exec.in = s->in;
    if (!CHECK(exec_batch(&s->exec, &s->batch, &e) == 0))
        printf("%s\n", e.text);
    session_range(s, RANGE_FWD);
    session_range(s, RANGE_HEAD);
}

/* Gradients of the whole batch. */
static inline void
session_gradients(struct session *s)
{
    session_range(s, RANGE_START);
    session_forward(s);
    session_range(s, RANGE_BWD);
}

/* Element i of a view's row 0 .. as one run of rows * cols. */
static inline double
session_at(const struct session *s, const void *p, size_t i)
{
    return s->exec.backend->real_size == sizeof(float) ? (double)((float *)p)[i]
                                                  : ((double *)p)[i];
}

#endif
