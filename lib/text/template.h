/* template.h - from the fields of a record to ids and a loss mask.
 *
 * A layout is a list of parts: special tokens by name, fixed text, fields.
 * There is one for each template and family of tokenizers; the family is
 * the first whose tokens the tokenizer has:
 *
 *   starcoder    <reponame> <filename> <commit_before> <commit_msg>
 *                <commit_after>
 *   starcoder2   <repo_name> <file_sep> <pr> <pr_file> <pr_base_code>
 *                <pr_diff>
 *   qwen2.5      <|repo_name|> <|file_sep|>
 *   text         no tokens: headings in plain text
 *
 * A part that belongs to a field is there if the field is, so a file that a
 * commit adds has no "before" part. Text between two special tokens is
 * encoded as one. The layouts are in man/man1/
 * tokenize.1.
 */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/spans.h"
#include "text/tokenizer.h"

enum template_kind {
    TEMPLATE_PLAIN,  /* text */
    TEMPLATE_FILE,   /* repo, path, text */
    TEMPLATE_COMMIT, /* repo, path, before, message, after */
    TEMPLATE_MESSAGE, /* repo, diff, message; loss on the message */
    TEMPLATE_REVIEW, /* repo, path, message, diff; loss on edited lines */
    TEMPLATE_FIM,    /* repo, path, prefix, suffix, middle */
    TEMPLATE_CHAT,   /* text: a conversation as its base spells it */
    TEMPLATE_KINDS
};

enum template_field {
    FIELD_ALWAYS, /* of a part that is always there */
    FIELD_REPO, FIELD_PATH, FIELD_TEXT, FIELD_BEFORE, FIELD_MESSAGE,
    FIELD_AFTER, FIELD_DIFF,
    FIELD_SCOPE, /* the line that names the function around a hunk */
    FIELD_PREFIX, FIELD_SUFFIX, FIELD_MIDDLE, FIELDS
};

/* A piece of a field: bytes of the caller's. Pieces that follow each other
 * are one text to the tokenizer. */
struct template_piece {
    const char *p; /* NULL: no text but the layout's mark of a gap, where
                      lines of the file are left out */
    size_t n;
    bool loss;     /* learned, where the layout learns the field */
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
    bool marks;                          /* of the pieces of template_set */
    struct template_piece whole[FIELDS]; /* its room */
};

/* The field is p[n], all of it learned. *in stays where it is from then on. */
void template_set(struct template_input *in, enum template_field field,
                  const char *p, size_t n);

struct template_part;

struct template {
    const struct template_part *part;
    const struct tokenizer *t;
    const char *family;
    uint32_t end; /* closes every record; TOKEN_NONE: nothing does */
};

/* What a record became; for one thread, used again and again. */
struct template_out {
    struct ids ids;
    uint8_t *loss; /* 0 or 1 for each id */
    size_t cap;
    struct spans text; /* waiting to be encoded */
};

void template_init(struct template *tp, enum template_kind kind,
                   const struct tokenizer *t, uint32_t end);

void template_out_init(struct template_out *out, const struct tokenizer *t);
void template_out_release(struct template_out *out);

/* Replaces *out by the record. */
void template_encode(const struct template *tp, struct encoder *en,
                     const struct template_input *in,
                     struct template_out *out);

#endif
