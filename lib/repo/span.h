/* span.h - bytes of a text that is held elsewhere. */
#ifndef REPO_SPAN_H
#define REPO_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

static inline bool
span_starts(struct span s, const char *word)
{
    size_t n = strlen(word);

    return s.n >= n && memcmp(s.p, word, n) == 0;
}

#endif
