/* scan.h - pre-tokenizers: where a text falls into pieces.
 *
 * Each is written by hand for one exact rule of Hugging Face's tokenizers:
 *
 *   SCAN_GPT2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+
 *                | ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   SCAN_DIGITS  every UC_DIGIT character alone, SCAN_GPT2 in each stretch
 *                between them (whose end is the end of text to it)
 *   SCAN_QWEN2   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}
 *                | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *   SCAN_LLAMA3  the same with \p{N}{1,3}
 *   SCAN_QWEN35  that of Qwen 2 with [\p{L}\p{M}] for \p{L}, but not in the
 *                first class of its second alternative
 *   SCAN_O200K   [^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,3}
 *                | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *                where U is [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], W is
 *                [\p{Ll}\p{Lm}\p{Lo}\p{M}] and C Qwen 2's first alternatives
 *   SCAN_TEKKEN  the same with \p{N} and without C?
 *
 * A byte that is no part of valid UTF-8 counts as a symbol, as [^\s\p{L}
 * \p{N}] does.
 */
#ifndef TEXT_SCAN_H
#define TEXT_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum scan_kind {
    SCAN_GPT2, SCAN_DIGITS, SCAN_QWEN2, SCAN_LLAMA3, SCAN_QWEN35,
    SCAN_O200K, SCAN_TEKKEN
};

/* The table that scan_piece asks for characters of that kind, of UC_POINTS
 * bytes, which the caller frees; NULL if it is uclass_new's. */
uint8_t *scan_table(enum scan_kind kind);

/* Length of the piece that begins at p; p < end, 1 <= result <= end - p. */
size_t scan_piece(enum scan_kind kind, const uint8_t *table,
                  const uint8_t *p, const uint8_t *end);

/* The first pieces of [p, end), p < end, as many as are told together: where
 * each stops. Returns how many, at least 1. */
#define SCAN_MOST 64
size_t scan_pieces(enum scan_kind kind, const uint8_t *table,
                   const uint8_t *p, const uint8_t *end,
                   const uint8_t *stop[SCAN_MOST]);

#endif
