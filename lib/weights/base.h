/* base.h - an opened base and what its config.json says of it, together:
 * which tensor is which, whether all of them are there, what is left over.
 */
#ifndef WEIGHTS_BASE_H
#define WEIGHTS_BASE_H

#include "model/prog.h"
#include "weights/weights.h"

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

/* The item of w that d calls so, of whatever shape; NULL where there is none.
 * GPT-2's own files leave the "transformer." of names out. */
const struct weight *base_find(const struct weights *w,
                               const struct model_desc *d, const char *name);

/* use[w->n]: which enum weight_use item i is, by d, which base_describe says
 * of w. */
void base_uses(uint8_t *use, const struct weights *w,
               const struct model_desc *d);

/* Where w has the tensors of d, for programs: *f, which borrows of both and
 * ends with base_unbind. Their data is there if weights_ready made it; a plan
 * does without. ERR_DATA for a tensor that is not there, of another shape, or
 * of a type that programs don't compute with: they do with those of
 * tensor/stored.h, and in blocks with matrices alone. On failure *f holds
 * nothing. */
int base_bind(struct frozen *f, const struct weights *w,
              const struct model_desc *d, struct err *e);
void base_unbind(struct frozen *f);

#endif
