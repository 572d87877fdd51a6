/* lang_table.h - names of files and what they are written in. Private to
 * lib/repo.
 */
#ifndef REPO_LANG_TABLE_H
#define REPO_LANG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct lang_name {
    const char *key, *lang;
};

extern const struct lang_name lang_by_name[], lang_by_extension[];
extern const size_t lang_n_names, lang_n_extensions;

/* The language of an extension or, with other case, of one like it; NULL. */
const char *lang_of_extension(const char *key, size_t n);

/* What a text says that it is: by an interpreter's line, an editor's, or how
 * it begins; NULL if it doesn't. */
const char *lang_of_content(const char *p, size_t n);

/* Whether a text begins as a man page does, whose extension is a digit. */
bool lang_is_manual(const char *p, size_t n);

#endif
