/* export.h - the records of a stream or a set, in the files that trainers of
 * others read.
 *
 *     megatron  PREFIX.bin and PREFIX.idx, Megatron-LM's indexed dataset: the
 *               ids of all records, and a list of their lengths. An id has
 *               16 bits where the vocabulary has less than 65,500 rows, else
 *               32 with a sign. A record is a document of one sequence.
 *     llm.c     FILE, llm.c's tokens: 256 numbers of 32 bits (a magic
 *               number, a version, how many tokens there are) and the ids,
 *               of 16 bits (GPT-2's kind) where the vocabulary fits, else of
 *               32 (Llama 3's).
 *
 *     mlx-lm    DIR with train.jsonl, valid.jsonl and test.jsonl, of the
 *               splits of a set; of a stream, train.jsonl alone.
 *     trl       FILE, or "-": lines of JSON for TRL's SFTTrainer.
 *
 * The first two are of token records, for plain training: they have no place
 * for a loss mask. The lines of the others are of text records: a document
 * and a file are {"text"}, a chat {"messages"} with its {"tools"}, a commit
 * {"prompt","completion"}, its diff and its message. For trl, token records
 * are {"input_ids","labels"}, where a label is the id or, if it is not
 * learned, -100. What is learned is as the key "loss" says.
 *
 * Nothing is there before all of the input was read and found whole. What is
 * there already is not replaced.
 */
#ifndef RECORD_EXPORT_H
#define RECORD_EXPORT_H

#include <stdint.h>

#include "base/err.h"

/* What was written, and what was not. All zero at first. */
struct export {
    uint64_t records, tokens;
    uint64_t masked; /* ids whose not being learned is not told */
    uint64_t merged; /* records whose end is not told */
    uint64_t empty;  /* records left out: nothing in them */
    uint64_t no_edit, not_utf8; /* commits without an edit; other bytes */
};

/* The records of `in`, or of a split of it (record/source.h), as path.
 * ERR_EXISTS where it is there, ERR_DATA for records that the format is not
 * for or none at all, ERR_LIMIT over what the format can count. */
typedef int export_format(struct export *x, const char *path, const char *in,
                          const char *split, struct err *e);

export_format export_megatron, export_llmc, export_mlx_lm, export_trl;

#endif
