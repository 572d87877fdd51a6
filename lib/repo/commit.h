/* commit.h - the text of a commit object, taken apart.
 *
 * libgit2 refuses commits whose author it can't parse; here only tree
 * and parents have to be sound. Everything is bytes.
 */
#ifndef REPO_COMMIT_H
#define REPO_COMMIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "repo/oid.h"
#include "repo/span.h"

#define COMMIT_MAX_PARENTS 4096
#define COMMIT_MAX_BYTES (4u << 20)

/* Points into the object it was parsed from. */
struct commit {
    struct oid tree;
    const char *parents; /* n_parents lines "parent HEX\n", 48 bytes each */
    size_t n_parents;
    struct span author;  /* "Name <mail>", without time; may be empty */
    int64_t time;        /* committer time, 0 if there is none */
    struct span bad_time; /* not empty: it is not a number of 64 bits */
    struct span encoding; /* of the message; empty: it is not said */
    struct span message;  /* to its end, or the first NUL, as git takes it */
};

/* ERR_DATA if it is no commit, or if a line stands where parents do, or is
 * called so, that is none: passing over it would make a root of the commit.
 * ERR_LIMIT over COMMIT_MAX_PARENTS. The text does not name it. */
int commit_parse(struct commit *c, const char *p, size_t n, struct err *e);
struct oid commit_parent(const struct commit *c, size_t i);

/* As git's %s and %b: the first paragraph with its lines joined by blanks,
 * and what follows it and the blank lines after it, to the last newline. */
void commit_subject(struct buf *out, struct span message);
struct span commit_body(struct span message);

#endif
