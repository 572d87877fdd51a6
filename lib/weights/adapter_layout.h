/* adapter_layout.h - how PEFT and mlx-lm keep an adapter: a directory of a
 * config and of tensors; private to adapter*.c.
 *
 * A tensor is PREFIX MODULE SUFFIX. PEFT's matrices are A [rank, in] and
 * B [out, rank]. mlx-lm's are turned, lora_a [in, rank] and lora_b [rank, out]
 * (mlx_lm/tuner/lora.py), and the body of GPT-2, which is "transformer." with
 * Hugging Face, is "model." there. Modules have Hugging Face's names here.
 */
#ifndef WEIGHTS_ADAPTER_LAYOUT_H
#define WEIGHTS_ADAPTER_LAYOUT_H

#include "base/json.h"
#include "weights/adapter.h"

#define ADAPTER_PARTS 3

struct adapter_layout {
    const char *weights;               /* name of the file of tensors */
    const char *format;                /* in its header */
    const char *prefix;
    const char *suffix[ADAPTER_PARTS]; /* by enum adapter_part */
    const char *gpt2;                  /* "transformer." is called so */
    bool turned;

    /* What the config says of an adapter but its modules. ERR_DATA naming
     * the key; what *a has then is for adapter_release. */
    int (*config)(struct adapter *a, const cJSON *root, struct err *e);

    /* ERR_DATA for a module that the loader of this layout would leave out by
     * its config, so that its matrices had no effect. */
    int (*selects)(const cJSON *root, const char *module, struct err *e);

    /* What else follows from config and modules together; NULL: nothing. */
    int (*settle)(struct adapter *a, const cJSON *root, struct err *e);
};

extern const struct adapter_layout adapter_peft, adapter_mlx;

/* MODULE of a tensor's name, to be freed; NULL if it is not such a part. */
char *adapter_module_of(const struct adapter_layout *l, const char *tensor,
                        enum adapter_part part);

/* The name of a module's tensor, to be freed. */
char *adapter_tensor_name(const struct adapter_layout *l, const char *module,
                          enum adapter_part part);

/* out[cols, rows] = in[rows, cols] turned. */
void adapter_turn(float *out, const float *in, size_t rows, size_t cols);

/* bytes[n] = x[n] as dtype; x is then what that holds. ERR_DATA naming the
 * module for a value that is too great for it. */
int adapter_pack(void *bytes, enum dtype dtype, float *x, size_t n,
                 const char *module, struct err *e);

/* The file of tensors: what source gives, in the layout's shapes, of dtype. */
int adapter_put_tensors(const struct adapter *a,
                        const struct adapter_layout *l, enum dtype dtype,
                        const char *dir, const struct safetensors_meta *meta,
                        size_t n_meta, const struct adapter_source *source,
                        struct err *e);

#endif
