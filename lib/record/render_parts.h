/* render_parts.h - what render*.c have in common: a record's text as lines,
 * the parts of it that become token records, and the fields of a part.
 * Private to lib/record.
 */
#ifndef RECORD_RENDER_PARTS_H
#define RECORD_RENDER_PARTS_H

#include "record/render.h"
#include "record/tokens.h"

/* Kept lines next to an edit that are learned with it: one behind, by which
 * a model learns to stop, and one ahead. */
#define RENDER_AROUND 1
#define RENDER_ALL UINT32_MAX /* as a context */

/* ---- render_lines.c ---- */

/* The lines of a change. Where lines were replaced, removed and added ones
 * take turns, so that a part of the edit has what goes and what comes for
 * it: each side's lines stay in their order. */
void render_lines_of_change(struct render_lines *l, const struct change *c);

/* p[n] as lines that were added: one for all of it, or one for each. */
void render_lines_of_text(struct render_lines *l, const char *p, size_t n,
                          bool each);

/* Appends a line; exchanges the lines, but not what they are in. */
void render_lines_add(struct render_lines *l, const struct render_line *line);
void render_lines_swap(struct render_lines *a, struct render_lines *b);

/* Whether what is shown as line b follows what is shown as line a in the
 * file, on both sides. */
bool render_lines_follow(const struct render_line *a,
                         const struct render_line *b);

/* The scope of a part that begins with line i. */
struct change_scope render_lines_scope(const struct render_lines *l,
                                       size_t i);

/* Whether the line stands on that side. */
static inline bool
render_on_side(const struct render_line *line, int side)
{
    return line->kind == ' ' || line->kind == (side == 0 ? '-' : '+');
}

/* Lines [from, to) that were removed or added, as a count. */
uint64_t render_lines_edited(const struct render_lines *l, size_t from,
                             size_t to);

/* ---- render_fields.c ---- */

/* Makes the texts of w's record that no part of it changes: the message, and
 * w->whole, what is plain text in it. */
void render_fields_begin(struct render_worker *w);

/* Sets the fields of where a record is from: repository and path. */
void render_fields_where(const struct render_worker *w,
                         struct template_input *in);

/* Sets the fields of a part; they point into w and into the record. */
void render_fields(struct render_worker *w, enum template_kind kind,
                   const struct render_part *part,
                   struct template_input *in);

/* Of a commit's part, into w->pieces: both sides, or behind what there is in
 * the first the unified diff, as `git apply` takes it (modes are not known:
 * 100644). all: every byte is learned, else the lines that were edited. */
void render_sides(struct render_worker *w, const struct render_part *part,
                  bool marks);
void render_diff(struct render_worker *w, const struct render_part *part,
                 bool marks, bool all);

/* ---- render_chat.c ---- */

/* Appends the chat that w's record is: as one token record, or as many as the
 * limit asks for. Counts what the template passes over; ERR_DATA where it
 * refuses the chat. */
int render_chat(const struct render *r, struct render_worker *w,
                const struct tokens_origin *origin,
                struct render_result *out, struct err *e);

/* ---- render_cut.c ---- */

/* About the tokens that a line takes in its view; lines [from, to) with what
 * stands between them. */
uint64_t render_cost(const struct render_lines *l, size_t i);
uint64_t render_cost_of(const struct render_lines *l, size_t from,
                        size_t to);

/* The end of a part that begins with line `from` and has room for so many
 * tokens: where the text shows a good place to cut, not before the middle. At
 * least one line. */
size_t render_cut(const struct render_lines *l, size_t from, uint64_t room);

/* The tokens of p[n] encoded alone. */
uint64_t render_measure(const struct render *r, struct render_worker *w,
                        const char *p, size_t n);

/* How many bytes of p[n] can be had for *tokens, about: up to the end of a
 * word or a character, and what these take. 0 where that can't be had. */
size_t render_prefix(const struct render *r, struct render_worker *w,
                     const char *p, size_t n, uint64_t *tokens);

/* ---- render_fit.c ---- */

/* Appends what was encoded into w->out, with so many edited lines; counts what
 * is left out. */
int render_keep(const struct render *r, const struct render_worker *w,
                const struct tokens_origin *origin, uint64_t lines,
                struct render_result *out, struct err *e);
void render_leave(struct render_result *out, enum render_left why,
                  uint64_t lines, uint64_t tokens);

/* Appends the record whose lines w has: as one token record, or as many as
 * the limit asks for. */
int render_fit(const struct render *r, struct render_worker *w,
               enum template_kind kind, const struct tokens_origin *origin,
               struct render_result *out, struct err *e);

#endif
