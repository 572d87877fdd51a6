/* base.h - an opened base and what its config.json says of it, together:
 * which tensor is which, whether all of them are there, what is left over.
 */
#ifndef MODEL_BASE_H
#define MODEL_BASE_H

#include "model/desc.h"
#include "model/weights.h"

/* Describes the base: reads its config, and finds every tensor that the
 * config asks for, of the right shape. ERR_DATA otherwise, for whatever
 * desc_read refuses, and for tokens of generation_config.json that are none.
 * *unused = how many tensors belong to no module; there is one warning that
 * names them (but for buffers that a family's old files hold). The head of a
 * tied config that has a weight of its own in the base is its own where it
 * differs from the embedding, with a warning: so transformers 5 does it,
 * while 4 ties them. On failure *d is released. */
int base_describe(struct model_desc *d, size_t *unused,
                  const struct weights *w, struct err *e);

/* The description's tensor t, as the base has it, or NULL: GPT-2's own files
 * leave the "transformer." of its name out. */
const struct weight *base_tensor(const struct weights *w,
                                 const struct model_desc *d,
                                 const struct model_tensor *t);

/* As base_tensor; ERR_DATA when it is not there or has another shape. */
int base_find(const struct weight **found, const struct weights *w,
              const struct model_desc *d, const struct model_tensor *t,
              struct err *e);

/* ERR_DATA unless programs compute with weights of t's type: F32, BF16, F16,
 * and of matrices int8 with scales. */
int base_check_type(const struct weights *w, const struct weight *t,
                    struct err *e);

#endif
