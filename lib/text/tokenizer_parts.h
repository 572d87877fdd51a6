/* tokenizer_parts.h - the objects that normaliser, pre-tokenizer and decoder
 * of a tokenizer.json are made of; private to lib/text.
 */
#ifndef TEXT_TOKENIZER_PARTS_H
#define TEXT_TOKENIZER_PARTS_H

#include "base/json.h"

#define MAX_PARTS 16

/* One of them: its settings as far as anyone here knows them. */
struct tokenizer_part {
    struct json at; /* where it stands, for messages */
    struct buf type, content, pattern, prepend, replacement, scheme,
        behavior;
    bool regex; /* the pattern is one, not a string */
    bool split, invert, prefix;
    uint64_t start, stop;
};

struct tokenizer_parts {
    struct tokenizer_part part[MAX_PARTS];
    size_t n;
};

/* Reads the value that comes next: null, one object, or Sequences of them,
 * which are flattened. ERR_DATA, and *s released, for a setting that is not
 * known (named, after `what`) or more than MAX_PARTS. */
int tokenizer_parts_read(struct tokenizer_parts *s, const char *what,
                         struct json *j, struct err *e);
void tokenizer_parts_release(struct tokenizer_parts *s);

#endif
