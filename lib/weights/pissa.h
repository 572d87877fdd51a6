/* pissa.h - adapters that begin with what a matrix is most (PiSSA, Meng et al.
 * 2024, arXiv:2404.02948).
 *
 * With the r largest singular triplets of W [out, in], W about U S V^T, and s
 * the adapter's scale,
 *     A0 = (S / s)^(1/2) V^T    B0 = U (S / s)^(1/2)
 * the residual W - s B0 A0 is frozen, and A and B are trained from A0 and B0.
 * The base stays as it is: a module computes
 *     y = W x + s B A x - s B0 A0 x,
 * so that C = A0 and D = -s B0 (struct lora_part), and begins with W. What is
 * saved is an adapter of twice the rank and of the scale s for W itself,
 *     [A; A0], [B, -B0],
 * as PEFT's path_initial_model_for_weight_conversion makes it.
 */
#ifndef WEIGHTS_PISSA_H
#define WEIGHTS_PISSA_H

#include "model/prog.h"
#include "weights/adapter.h"

/* The memory of C and D of all parts with an adapter, of a description d,
 * which is not touched yet; *data is the caller's to free, after the programs.
 * ERR_USAGE, naming the module, for a rank beyond its matrix or a scale of 0,
 * and for a back end that knows no singular values; ERR_IO without memory. */
int pissa_place(float **data, struct lora_part *parts,
                const struct model_desc *d, const struct backend *b,
                struct err *e);

/* Fills C and D, and A and B with their start, of a program of that base and
 * those parts, by all threads, a matrix each; the bits don't depend on how
 * many. iterations and seed as in struct principal. ERR_DATA, naming the
 * tensor, for a matrix whose values can't be found; ERR_AGAIN where it was
 * asked to stop (base/stop.h). */
int pissa_start(struct exec *x, const struct frozen *base,
                uint32_t iterations, uint64_t seed, struct err *e);

/* The bytes that pissa_start takes for a while beside the program's memory, by
 * par_threads(); 0 where no adapter begins so. */
uint64_t pissa_scratch(const struct prog *p, const struct backend *b,
                       uint32_t iterations);

/* Whether a program's adapters began so; they all do, or none. */
bool pissa_is(const struct prog *p);

/* What is saved: a becomes the config of twice the ranks and the same scales,
 * whose patterns pissa_release_double releases. */
void pissa_double(struct adapter *a);
void pissa_release_double(struct adapter *a);

/* Writes what is saved of parameter q: of A [A; A0], of B [B, -B0]. */
int pissa_write(const struct exec *x, const struct param *q, struct out *out,
                struct err *e);

#endif
