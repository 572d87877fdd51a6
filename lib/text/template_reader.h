/* template_reader.h - how a layout file is read: words, then the lines that
 * begin families, then bodies. Private to template_*.c.
 *
 * A word is text without blanks, or text in quotes. All functions return
 * r->e's code when the line is wrong.
 */
#ifndef TEXT_TEMPLATE_READER_H
#define TEXT_TEMPLATE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/nearest.h"
#include "text/layout.h"

#define MOST_EDITS 2 /* to a name that is suggested */

struct reader {
    struct layout *l;
    const char *where;
    size_t line;
    const char *p, *end; /* the rest of the line */
    bool in_body;        /* of the last family; else it waits for one */
    bool ended;          /* the variant's last item is the end */
    bool loss;           /* there was a line for it */
    struct err *e;
};

struct word {
    const char *p; /* as it stands in the file */
    size_t n;
    bool quoted;
    uint32_t at, len; /* of quoted text, in layout.bytes */
};

/* ---- words: template_words.c ---- */

/* 1: *w is the next word of the line; 0: there is none. */
int reader_word(struct reader *r, struct word *w);

/* The next word, which is the name of a family, a token or a variant. */
int reader_name(struct reader *r, const char *what, char *name);

/* That the line has no more words. */
int reader_line_ends(struct reader *r);

bool word_is(const struct word *w, const char *text);

/* The field that *w names. */
int reader_field(struct reader *r, const struct word *w, const char *what,
                 uint8_t *field);

/* Fails with "where:line: ...". */
int reader_fail(struct reader *r, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails with "unknown WHAT (found foo, did you mean x->name?)". */
int reader_unknown(struct reader *r, const char *what, const struct word *w,
                   const struct nearest *x);

/* ---- families and their tokens: template_family.c ---- */

struct layout_family *reader_last_family(struct reader *r);

/* The rest of a line that begins with records, loss, family or token. */
int reader_records(struct reader *r);
int reader_loss(struct reader *r);
int reader_family(struct reader *r);
int reader_token(struct reader *r);

/* @role, of a gap of the last family or of a body: all its families must
 * have that token. */
int reader_role(struct reader *r, const struct word *w, uint8_t *role);

#endif
