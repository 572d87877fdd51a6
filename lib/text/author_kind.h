/* author_kind.h - whether an author is a program. */
#ifndef TEXT_AUTHOR_KIND_H
#define TEXT_AUTHOR_KIND_H

#include <stdbool.h>
#include <stddef.h>

/* By "Name <mail>", or a name: GitHub's [bot], names that end in -bot, and
 * programs that many projects have commit (dependabot, renovate, ...). */
bool author_is_bot(const char *p, size_t n);

#endif
