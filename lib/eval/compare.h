/* compare.h - two bases over the same records, position by position. Private
 * to lib/eval.
 *
 * Both models take each batch through their layers; then the heads make the
 * logits of a chunk of its positions at a time, of which a few are here at
 * one time. So the memory is that of two models and of some rows of logits,
 * whatever the batch.
 */
#ifndef EVAL_COMPARE_H
#define EVAL_COMPARE_H

#include "eval/scores.h"
#include "weights/model.h"

/* Of this process's memory, what comparing takes beside the programs, in
 * bytes: models of vocab tokens over records of so many in all. */
uint64_t compare_bytes(uint32_t vocab, uint64_t tokens);

/* Runs every record of s through both bases, without adapters, by programs of
 * o, which is PROG_EVAL with logits. target and all get, of the tokens to be
 * learned and of all, the sums of each record, of base (m's), compare
 * (other's), kl and same_top, and kls: their arrays have room. ERR_DATA where
 * a model's output is not finite, ERR_AGAIN when it was asked to stop. */
int compare_models(const struct model *m, const struct model *other,
                   const struct prog_opts *o, const struct token_source *s,
                   struct measured *target, struct measured *all,
                   struct err *e);

/* ERR_DATA unless both models have as many tokens; and, where both bases
 * bring a tokenizer, and not the same file, unless they spell the ids alike
 * that both of them know. */
int compare_vocab(const struct model *m, const struct model *other,
                  struct err *e);

#endif
