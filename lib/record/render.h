/* render.h - text records to token records.
 *
 * A record is laid out by a template (text/template.h) and encoded. Where
 * there is a limit of tokens, a commit over it gets less and less context
 * (as it is, 8, 4, 2, 1, 0 kept lines around an edit) until it fits. If none
 * does, it falls into parts: of whole hunks, or where one is too large by
 * itself of lines, up to where a function or a block begins if one does; a
 * line too long for the limit is cut, too. Other records fall into parts of
 * lines. Every part has the head (repository, path, message, scope) and the
 * record's origin, and every line that was added or removed is in one of
 * them.
 *
 * The target are the message, once, and of a commit's side after the lines
 * that were added and the kept ones next to an edit; of its diff, the lines
 * that were added or removed; of other texts everything.
 *
 * Plain text of a commit is its message, an empty line and the unified diff;
 * that of a chat its messages with an empty line between. Where the base has
 * a chat template, a chat is what that makes of it, and what the assistant
 * says is the target; over the limit it falls into parts of exchanges, each
 * with its system messages.
 */
#ifndef RECORD_RENDER_H
#define RECORD_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/change.h"
#include "record/fim.h"
#include "record/group.h"
#include "record/text.h"
#include "record/tokens.h"
#include "text/chat.h"
#include "text/template.h"

/* The layout by the record's kind: commit, file, chat where there is a chat
 * template, or plain text. */
#define RENDER_AUTO TEMPLATE_KINDS

/* How to do it: shared by threads. */
struct render {
    const struct tokenizer *t;
    struct template template[TEMPLATE_KINDS];
    enum template_kind kind; /* or RENDER_AUTO: set by render_use */
    uint64_t max_tokens;     /* 0: no limit */
    bool marks;              /* as encoder_add has it */
    enum tokens_loss loss;   /* what is learned; the masks of token records
                                are of the target in any case */
    bool offsets;            /* lines of record/offsets_line.h are made, not
                                token records */
    struct fim fim;          /* of the layout fim */
    const struct chat_template *chat; /* set before render_use; or NULL */
    uint32_t end;            /* closes a record; TOKEN_NONE: nothing does */
    uint32_t begin;          /* as struct template has it */
};

/* No layout is open yet: render_use or render_use_own opens what is used.
 * end: the token that closes a record, or TOKEN_NONE. */
void render_init(struct render *r, const struct tokenizer *t, uint32_t end);
void render_release(struct render *r);

/* The layout that is built in, or by record with RENDER_AUTO; fails as
 * template_open. */
int render_use(struct render *r, enum template_kind kind, struct err *e);

/* The layout of text[n]; where is its name in messages. r->kind is that of
 * the built-in whose place it takes. Fails as template_open_own and
 * template_like. */
int render_use_own(struct render *r, const char *text, size_t n,
                   const char *where, struct err *e);

/* What is learned of a record of that kind by its layout. */
enum tokens_loss render_loss(const struct render *r, enum text_kind kind);

/* Whether that can be told apart: all of a file or document is the target. */
bool render_has_context(const struct render *r, enum text_kind kind);

/* Which layout a record of that kind gets; TEMPLATE_KINDS: it has none. */
enum template_kind render_choose(const struct render *r,
                                 enum text_kind kind);

/* A line of a record's text, or a fragment of one that is too long for the
 * limit; a text that is no change has lines that were added. */
struct render_line {
    const char *p; /* with its newline, if it has one */
    uint32_t n;
    char kind;     /* ' ', '-' or '+', as in a change */
    bool begins, ends; /* its line: false between fragments */
    bool fits;         /* of a hunk that need not be cut */
    uint32_t near;     /* lines to the nearest edit; 0: it is one */
    uint32_t tokens;   /* encoded alone */
    uint32_t hunk, run; /* numbers; a run is of one edit's lines */
    uint32_t scope[2];  /* what is above it on each side */
    uint64_t at[2];     /* lines before it on each side */
};

struct render_lines {
    struct render_line *line;
    size_t n, cap;
    struct change_scope *scope; /* the first is none */
    size_t n_scopes, scopes_cap;
    bool present[2];
    enum { RENDER_TEXT, RENDER_SIDES, RENDER_DIFF } view; /* how often and
                                                  * with what it is shown */
};

/* What a token record shows: of lines [from, to) those so near to an edit. */
struct render_part {
    size_t from, to;
    uint32_t context;
    struct change_scope scope; /* of its first line */
    bool first;                /* of the record's */
};

/* Pieces of a field. */
struct render_pieces {
    struct template_piece *piece;
    size_t n, cap;
};

/* The exchanges of a chat: in which field each begins; the last ends at at[n],
 * the system messages ahead of all at head. */
struct render_exchanges {
    size_t *at;
    size_t n, cap;
    size_t head;
};

/* What one thread needs. */
struct render_worker {
    struct encoder en;
    struct ids ids;
    struct text_rec rec;
    struct change change;
    struct render_lines lines, cut;
    struct render_pieces pieces[2];
    struct template_piece whole;    /* the text of what is no commit */
    struct id whole_id;             /* of that, as the record has it */
    const struct id *body;          /* whole_id, or NULL: there is none */
    struct buf message, text, made; /* made: of a diff, its headers */
    size_t n_message;               /* what is shown of the message */
    struct chat chat;
    struct render_exchanges exchanges;
    struct template_out out;
    uint64_t lost; /* bytes without a token in out */
};

void render_worker_init(struct render_worker *w, const struct tokenizer *t);
void render_worker_release(struct render_worker *w);

/* Why something was left out. */
enum render_left {
    RENDER_KIND,  /* a record of a kind that the layout is not for */
    RENDER_EDIT,  /* a commit without an edit: a rename, an empty file */
    RENDER_LONG,  /* a record, or lines or an exchange of it, over max_tokens */
    RENDER_REMOVES, /* a place that lines were only removed from, for fim */
    RENDER_MESSAGE, /* the end of a message that left no room for the edit */
    RENDER_SYSTEM, /* a system message that the chat template writes not here:
                      another one, or in prompts */
    RENDER_LARGE, /* a record over what a stream takes */
    RENDER_REASONS
};

/* "kind-without-layout" and so on, for the ledger. */
const char *render_left_name(enum render_left reason);

/* Records, or parts of one; the added and removed lines in them; tokens,
 * which where something was left out are those of its text alone. */
struct render_count {
    uint64_t records, edited, tokens;
};

/* What became of a record: token records one after another, each ending at
 * end[i]. */
struct render_result {
    struct buf tokens;
    size_t *end, n, cap;
    struct group_key key; /* of the record */
    const char *lang;     /* its field lang[n_lang], in the record's bytes; */
    size_t n_lang;        /* NULL if it has none */
    struct render_count there; /* the record, if the layout is for its kind:
                                * 1, its edited lines; tokens 0 */
    struct render_count kept;  /* what is in tokens */
    struct render_count left[RENDER_REASONS]; /* what is not, and why */
    uint64_t lost; /* bytes that the tokenizer has no token for */
};

/* Adds *by to *sum. */
void render_count_add(struct render_count *sum,
                      const struct render_count *by);

void render_result_init(struct render_result *out);
void render_result_release(struct render_result *out);

/* Empties *out for the next record, keeping a moderate amount of memory. */
void render_result_reset(struct render_result *out);

/* Appends what the encoded text record p[n] gives. index: its number, which
 * is its ordinal if it has none. Its group follows from records before it
 * that others may be at: until render_result_group has told it, it is 0.
 * ERR_DATA for a record that can't be read. */
int render_record(const struct render *r, struct render_worker *w,
                  const void *p, size_t n, uint64_t index,
                  struct render_result *out, struct err *e);

/* The group that record/group.h gives for out->key. */
void render_result_group(struct render_result *out, uint64_t group);

#endif
