/* change.h - the edit of one file, stored once: hunks with kept, removed and
 * added lines. What the file was before, what it is after and a unified diff
 * are views of it.
 *
 * The field `change` of a commit record is text:
 *
 *     BEFORE AFTER                             lines of each side, or "-" if
 *     @@ -START,COUNT +START,COUNT @@ SCOPE    the side is absent; then hunks
 *      kept line
 *     -removed line
 *     +added line
 *     \ No newline at end of file              belongs to the line above
 *
 * Hunks are as in a unified diff: START counts from 1, but of an empty run it
 * is the number of lines before it; both numbers are always written. SCOPE is
 * the line that names what the hunk is in (the function's, often), as git
 * finds it: the nearest of the side before and above the hunk that begins
 * with a letter, _ or $, cut after 80 bytes and before any that are not
 * UTF-8. Where there is none, nothing follows the second @@. Lines
 * are bytes up to a newline, which always follows in the encoding. An absent
 * side differs from an empty one (0 lines). A change without hunks has no
 * edit: a rename, or an empty file that came or went.
 *
 * Hunks ascend, what lies between two of them (or before, or behind) is the
 * same on both sides, and no line follows one without a newline on its side.
 * A side that is absent makes the other one whole.
 */
#ifndef RECORD_CHANGE_H
#define RECORD_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/edit.h"

#define CHANGE_BEFORE 0
#define CHANGE_AFTER 1
#define CHANGE_ALL SIZE_MAX /* as a context: the whole file */

struct change_line {
    char kind;       /* ' ', '-' or '+' */
    bool no_newline; /* the last line of its side, without a newline */
    const char *p;   /* without the newline */
    size_t n;
};

#define CHANGE_SCOPE_BYTES 80

/* As above; n 0: there is none. */
struct change_scope {
    const char *p;
    size_t n;
};

struct change_hunk {
    uint64_t start[2], count[2]; /* as written: before, after */
    size_t line, n_lines;        /* in change.line */
    struct change_scope scope;
};

/* Reuse it from record to record. */
struct change {
    bool present[2];
    uint64_t total[2]; /* lines of each side; 0 if absent */
    struct change_hunk *hunk;
    size_t n_hunks, hunks_cap;
    struct change_line *line;
    size_t n_lines, lines_cap;
};

void change_init(struct change *c);
void change_release(struct change *c);

/* Lines point into p[n]. ERR_DATA with the offset, *c then empty. */
int change_decode(struct change *c, const void *p, size_t n, struct err *e);
void change_encode(struct buf *b, const struct change *c);

/* ---- views: they append to b ---- */

/* The lines of one side, of all hunks one after another; what lies between
 * hunks is not there. */
void change_side(struct buf *b, const struct change *c, int side);

/* The hunks hold both sides whole. */
bool change_whole(const struct change *c);

/* ---- a unified diff ---- */

/* What is before the hunks, as git writes it: old_path is NULL unless the
 * file was renamed; hunks: whether there are any. Modes are not known:
 * 100644. */
void change_put_file(struct buf *b, const bool present[2], bool hunks,
                     const char *path, size_t n_path, const char *old_path,
                     size_t n_old);

/* All of it, as `git apply` takes it. */
void change_unified(struct buf *b, const struct change *c, const char *path,
                    size_t n_path, const char *old_path, size_t n_old);

/* The first line of a hunk. */
void change_put_header(struct buf *b, const uint64_t start[2],
                       const uint64_t count[2],
                       const struct change_scope *scope);

#define CHANGE_NO_NEWLINE "\\ No newline at end of file\n"

/* ---- scopes ---- */

/* Whether the line p[n] (its newline may be there) can be a scope: *s is then
 * what of it a hunk's header shows. */
bool change_scope_of(struct change_scope *s, const char *p, size_t n);

/* *s = that of the last such line among those of text[from, to), which begin
 * and end there; as it was where none of them is one. */
void change_scope_above(struct change_scope *s, const char *text, size_t from,
                        size_t to);

/* ---- making one ---- */

/* A whole side. p NULL: absent. */
struct change_text {
    const char *p;
    size_t n, n_lines;
};

/* Appends the encoded change with that many lines of context. Edits ascend,
 * and the texts are equal between them; of an absent side the edits are not
 * looked at. */
void change_build(struct buf *b, const struct change_text *before,
                  const struct change_text *after, const struct edit *edit,
                  size_t n, size_t context);

#endif
