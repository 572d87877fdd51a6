/* template.h - from the fields of a record to ids and a loss mask, by a
 * layout.
 *
 * The family of a layout is the first whose tokens the tokenizer has. What
 * stands between two special tokens is encoded as one text. A token is of the
 * target, and has a loss, if the layout says so of its part and the piece of
 * the field does; the end always is.
 */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/layout.h"
#include "text/shown.h"
#include "text/spans.h"
#include "text/tokenizer.h"

/* The layouts that are built in, templates/NAME.template. */
enum template_kind {
    TEMPLATE_PLAIN,   /* text */
    TEMPLATE_FILE,    /* repo, path, text */
    TEMPLATE_COMMIT,  /* repo, path, scope, before, message, after */
    TEMPLATE_MESSAGE, /* repo, diff, message; loss on the message */
    TEMPLATE_REVIEW,  /* repo, path, message, diff; loss on edited lines */
    TEMPLATE_FIM,     /* repo, path, prefix, suffix, middle */
    TEMPLATE_CHAT,    /* text: a conversation as its base spells it */
    TEMPLATE_KINDS
};

/* A piece of a field: bytes of the caller's. Pieces that follow each other
 * are one text to the tokenizer. */
struct template_piece {
    const char *p; /* NULL: no text but the layout's mark of a gap, where
                      lines of the file are left out */
    size_t n;
    bool loss;     /* of the target, where the layout's field is */
    bool marks;    /* special tokens spelled here are the tokens, else they
                      are ordinary text */
};

/* A field; piece NULL is an absent one, which differs from an empty one. */
struct template_value {
    const struct template_piece *piece;
    size_t n;
};

/* Fields of a record. All zero at first. */
struct template_input {
    struct template_value field[FIELDS];
    uint64_t variant; /* of the layout's, modulo their number */
    uint64_t most;  /* ids; of a record with more than that just their number
                       is asked for, without flags. 0: no limit */
    bool stop;      /* and not even that: there need only be more */
    bool marks;                          /* of the pieces of template_set */
    struct template_piece whole[FIELDS]; /* its room */
};

/* The field is p[n], all of it with a loss. *in stays where it is from then
 * on. */
void template_set(struct template_input *in, enum template_field field,
                  const char *p, size_t n);

struct template {
    const struct tokenizer *t;
    struct layout layout;
    const struct layout_family *family; /* of the tokenizer */
    uint32_t id[LAYOUT_MAX_ROLES];      /* of its tokens */
    uint32_t end; /* closes every record; TOKEN_NONE: nothing does */
    uint32_t begin; /* stands before every record that does not begin with
                       it; TOKEN_NONE, unless the caller sets it: nothing */
};

/* "plain" and so on. */
const char *template_name(enum template_kind kind);

/* Opens a layout that is built in, or the text[n] of one; where is its name
 * in messages. Fails as template_read, and with ERR_DATA when the tokenizer
 * has the tokens of none of its families; *tp is released then. */
int template_open(struct template *tp, enum template_kind kind,
                  const struct tokenizer *t, uint32_t end, struct err *e);
int template_open_own(struct template *tp, const char *text, size_t n,
                      const char *where, const struct tokenizer *t,
                      uint32_t end, struct err *e);
void template_release(struct template *tp);

/* Whether the layout is for records of that kind. */
bool template_is_for(const struct template *tp, enum layout_record kind);

/* The kind whose records' fields it asks for: that of the built-in layout
 * that is most like it. The layout is then for those records alone that have
 * the fields: before, after and diff are of commits, prefix, middle and suffix
 * of all but conversations. ERR_DATA where it asks for several views of the
 * same text, or is for no record that has its fields. */
int template_like(struct template *tp, const char *where,
                  enum template_kind *kind, struct err *e);

/* Which variant has that name; their number, which stands for the first, if
 * none has. */
size_t template_variant(const struct template *tp, const char *name);

/* What a record became; for one thread, used again and again. */
struct template_out {
    struct ids ids;
    uint8_t *loss; /* 0 or 1 for each id */
    size_t cap;
    struct shown shown; /* the record as text, if that is wanted */
    size_t most;        /* ids that have flags */
    struct spans text; /* waiting to be encoded */
};

void template_out_init(struct template_out *out, const struct tokenizer *t);
void template_out_release(struct template_out *out);

/* Replaces *out by the record. */
void template_encode(const struct template *tp, struct encoder *en,
                     const struct template_input *in,
                     struct template_out *out);

#endif
