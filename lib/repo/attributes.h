/* attributes.h - what .gitattributes files say of paths to those who count
 * languages: linguist-generated, linguist-vendored, linguist-documentation.
 *
 * As git has it: later lines and deeper files win, a pattern without a slash is
 * one of names, `-x`, `x=false` and `x=0` take back, `!x` forgets, and
 * [attr]name makes a macro. Lines that git passes over are passed over.
 */
#ifndef REPO_ATTRIBUTES_H
#define REPO_ATTRIBUTES_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define ATTRIBUTES_MAX_BYTES (1u << 20) /* of a file */
#define ATTRIBUTES_MAX_LINES 4096 /* of all files, that name one of these */

enum attribute {
    ATTRIBUTE_GENERATED, ATTRIBUTE_VENDORED, ATTRIBUTE_DOCUMENTATION,
    ATTRIBUTES
};

struct attributes {
    struct attribute_line *line;
    size_t n, cap;
    size_t n_macros; /* of these lines */
};

void attributes_init(struct attributes *a);
void attributes_release(struct attributes *a);

/* Takes what the file dir[n_dir].gitattributes says; files come before those
 * of directories below. dir is empty or ends in a slash. ERR_LIMIT. */
int attributes_add(struct attributes *a, const char *dir, size_t n_dir,
                   const char *text, size_t n, struct err *e);

/* Appends what is said of the path: "linguist-generated -linguist-vendored",
 * nothing where nothing is. */
void attributes_of(const struct attributes *a, const char *path, size_t n,
                   struct buf *out);

#endif
