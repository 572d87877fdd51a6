/* normal.h - the normaliser of a tokenizer: steps over a text, before its
 * added tokens that are `normalized` are looked for.
 *
 * The steps are exact where the text is UTF-8; other bytes stay as they are.
 */
#ifndef TEXT_NORMAL_H
#define TEXT_NORMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "text/changes.h"
#include "text/forms.h"

enum normal_kind {
    NORMAL_FORM,
    NORMAL_PREPEND, /* to, before a text that is not empty */
    NORMAL_REPLACE  /* each `from`, from left to right, by `to` */
};

struct normal_step {
    enum normal_kind kind;
    enum form form;
    struct buf from, to;
};

struct normalizer {
    struct normal_step *step;
    size_t n;
};

void normalizer_release(struct normalizer *z);

/* Puts a step before step i, 0 <= i <= n. Returns it, with empty texts. */
struct normal_step *normalizer_insert(struct normalizer *z, size_t i,
                                      enum normal_kind kind);

/* False when p[n] certainly stays as it is. */
bool normal_needed(const struct normalizer *z, const uint8_t *uclass,
                   const void *p, size_t n);

/* Appends the normalised text; to *changes, unless that is NULL, where it
 * differs from p[n]: then *b is empty. */
void normal_add(struct buf *b, const struct normalizer *z,
                const uint8_t *uclass, const void *p, size_t n,
                struct text_changes *changes);

#endif
