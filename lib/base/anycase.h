/* anycase.h - words in texts, whether their letters (of ASCII) are capitals or
 * not. A word ends at its NUL; a text is p[n].
 */
#ifndef BASE_ANYCASE_H
#define BASE_ANYCASE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The text begins with the word. */
static inline bool
anycase_begins(const char *p, size_t n, const char *word)
{
    size_t len = strlen(word);

    return n >= len && strncasecmp(p, word, len) == 0;
}

/* The text ends with it. */
static inline bool
anycase_ends(const char *p, size_t n, const char *word)
{
    size_t len = strlen(word);

    return n >= len && strncasecmp(p + n - len, word, len) == 0;
}

/* The text is it. */
static inline bool
anycase_is(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

/* The word is somewhere in the text. */
static inline bool
anycase_has(const char *p, size_t n, const char *word)
{
    for (size_t len = strlen(word); n >= len; p++, n--)
        if (strncasecmp(p, word, len) == 0)
            return true;
    return false;
}

#endif
