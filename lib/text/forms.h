/* forms.h - Unicode's normalisation forms as Hugging Face's tokenizers has
 * them: with the data of Unicode 9, so that characters newer than that stay as
 * they are.
 *
 * Bytes that are not UTF-8 stay as they are, too, and part what is around
 * them. Time is n log n whatever the input.
 */
#ifndef TEXT_FORMS_H
#define TEXT_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/changes.h"

/* The last two by compatibility. */
enum form { FORM_NFC, FORM_NFD, FORM_NFKC, FORM_NFKD };

/* False when p[n] is certainly in that form as it stands. */
bool form_needed(enum form form, const uint8_t *uclass, const void *p,
                 size_t n);

/* Appends the normalised text to *b; where it differs from p[n] is added to
 * *changes, unless that is NULL. A change is as small as it can be: a letter
 * and its marks. */
void form_add(struct buf *b, enum form form, const uint8_t *uclass,
              const void *p, size_t n, struct text_changes *changes);

#endif
