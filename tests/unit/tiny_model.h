/* tiny_model.h - small random models in memory, for tests of programs. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/desc.h"
#include "model/weights.h"

static const char tiny_llama[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
    " \"head_dim\": 8, \"max_position_embeddings\": 64}";
static const char tiny_gpt2[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 61, \"n_embd\": 24,"
    " \"n_layer\": 3, \"n_head\": 3, \"n_positions\": 64}";
static const char tiny_phi[] =
    "{\"model_type\": \"phi\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 3, \"partial_rotary_factor\": 0.5,"
    " \"max_position_embeddings\": 64}";
static const char tiny_qwen2[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 61, \"hidden_size\": 24,"
    " \"intermediate_size\": 40, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 1,"
    " \"head_dim\": 6, \"tie_word_embeddings\": true}";
static const char tiny_starcoder2[] =
    "{\"model_type\": \"starcoder2\", \"vocab_size\": 61,"
    " \"hidden_size\": 24, \"intermediate_size\": 40,"
    " \"num_hidden_layers\": 3, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"sliding_window\": 5}";

static const char *const tiny_configs[] = {
    tiny_llama, tiny_gpt2, tiny_phi, tiny_qwen2, tiny_starcoder2
};
#define N_TINY (sizeof(tiny_configs) / sizeof(tiny_configs[0]))

struct tiny_model {
    struct model_desc desc;
    struct weights weights;
};

static inline int
tiny_by_name(const void *a, const void *b)
{
    const struct weight *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Normal numbers of deviation 0.3 (norm gains about 1), from the name. */
static inline void
tiny_add(struct weights *w, const struct model_tensor *of)
{
    struct weight *t = &w->item[w->n++];
    size_t n = (size_t)of->rows * of->cols;
    float *data = mem_try(n * sizeof(*data));
    float add = of->flags & TENSOR_NORM ? 1 : 0;
    bool vector = of->n_dims == 1;
    struct rng r;

    rng_init(&r, 7, rng_site(of->name));
    for (size_t i = 0; i < n; i++)
        data[i] = (float)(0.3 * rng_normal(&r)) + add;
    t->name = mem_strdup(of->name);
    t->dtype = DTYPE_F32;
    t->n_dims = of->n_dims;
    t->shape[0] = vector ? of->cols : of->rows;
    t->shape[1] = vector ? 0 : of->cols;
    t->data = data;
    t->bytes = n * sizeof(*data);
}

/* Exits when the configuration is bad: tests give good ones. */
static inline void
tiny_open(struct tiny_model *t, const char *config)
{
    struct weights *w = &t->weights;
    struct err e;

    if (desc_read(&t->desc, config, strlen(config), "tiny", &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    memset(w, 0, sizeof(*w));
    w->path = mem_strdup("tiny");
    w->item = mem_array(t->desc.n_tensors, sizeof(*w->item));
    for (size_t i = 0; i < t->desc.n_tensors; i++)
        tiny_add(w, &t->desc.tensor[i]);
    qsort(w->item, w->n, sizeof(*w->item), tiny_by_name);
}

static inline void
tiny_close(struct tiny_model *t)
{
    for (size_t i = 0; i < t->weights.n; i++) {
        free((char *)t->weights.item[i].name);
        free((void *)t->weights.item[i].data);
    }
    free(t->weights.item);
    free(t->weights.path);
    desc_release(&t->desc);
}

#endif
