/* ucat.h - general category and script of each code point, as Oniguruma's
 * Unicode 16 data has them in Hugging Face's tokenizers; private to lib/text.
 */
#ifndef TEXT_UCAT_H
#define TEXT_UCAT_H

#include <stddef.h>
#include <stdint.h>

#define UCAT_CATEGORY 0x1f /* place in ucat_category */
#define UCAT_SCRIPT 0x3e0  /* place in ucat_script, 5 bits up */
#define UCAT_WORD 0x400    /* \w of a regular expression */
#define UCAT_PUNCT 0x800   /* the pre-tokenizer Punctuation splits at it */

/* Names, NULL after the last. Script 0 is "": all that have no name here. */
extern const char *const ucat_category[];
extern const char *const ucat_script[];

/* The next n code points; the runs add up to all 0x110000. */
struct ucat_run {
    uint32_t n;
    uint16_t value;
};

extern const struct ucat_run ucat_run[];
extern const size_t ucat_n_runs;

#endif
