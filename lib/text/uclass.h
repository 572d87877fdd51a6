/* uclass.h - what a code point is taken for by pre-tokenizers, added tokens
 * and normalisation, as Hugging Face's tokenizers takes it.
 *
 * The classes are those of Oniguruma's Unicode 16 data; UC_DIGIT is Rust's
 * char::is_numeric, which is a little more than UC_NUMBER; the last three are
 * of the Unicode 9 data that tokenizers normalises with. uclass_data.c holds
 * runs; uclass_new spreads them over a flat table.
 */
#ifndef TEXT_UCLASS_H
#define TEXT_UCLASS_H

#include <stddef.h>
#include <stdint.h>

#define UC_LETTER 1 /* \p{L} */
#define UC_NUMBER 2 /* \p{N} */
#define UC_SPACE 4  /* \s */
#define UC_DIGIT 8  /* Digits parts it off */
#define UC_WORD 16  /* \w beside a single_word token */
#define UC_NFC 32   /* NFC may change a text that holds it */
#define UC_FORM_PART 64 /* NFC and NFD look at it at all */
#define UC_COMPAT 128 /* NFKC and NFKD change it where those do not */

#define UC_POINTS 0x110000

/* The next n code points; the runs add up to UC_POINTS. */
struct uclass_run {
    uint32_t n;
    uint8_t flags;
};

extern const struct uclass_run uclass_run[];
extern const size_t uclass_n_runs;

/* Flags by code point, UC_POINTS of them; the caller frees it. */
uint8_t *uclass_new(void);

/* Decodes the character at p[n], n > 0, into *code and returns its length.
 * A byte that begins no valid sequence is a character of its own: its code
 * is UC_BAD, a code point without flags. */
#define UC_BAD 0xfffd
size_t uclass_char(const uint8_t *p, size_t n, uint32_t *code);

#endif
