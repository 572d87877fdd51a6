/* init.h - the tensors of a model as a checkpoint has them, and their initial
 * values.
 *
 * Values are those of Hugging Face's classes: matrices normal with standard
 * deviation initializer_range (of gpt2's outputs into the residual divided by
 * sqrt(2 layers)), norms one, biases zero; Mamba's own are at enum init_rule
 * in model/desc.h. Element i of a tensor is draw i
 * of stream rng_site(name) of the seed, whatever else the model has.
 */
#ifndef WEIGHTS_INIT_H
#define WEIGHTS_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "base/map.h"
#include "model/desc.h"
#include "tensor/safetensors.h"

/* The description's tensors, *n of them, in that type. Released by
 * model_tensors_free. */
struct safetensor *model_tensors(const struct model_desc *d, unsigned dtype,
                                 size_t *n);
void model_tensors_free(struct safetensor *t, size_t n);

struct model_init {
    const struct model_desc *desc;
    uint64_t seed;
    bool scaled;       /* outputs into the residual as gpt2's; not at first */
    struct map tensor; /* name -> index */
};

void model_init_start(struct model_init *m, const struct model_desc *d,
                      uint64_t seed);
void model_init_release(struct model_init *m);

/* Writes the values of t, one of model_tensors': a modeldir_source's put,
 * with the struct model_init as ctx. */
int model_init_put(void *ctx, const struct safetensor *t, struct out *out,
                   struct err *e);

#endif
