/* glob.c - matching with two remembered places to go back to: the last '*'
 * and the last '**'. Going back to an older star can't help where a newer
 * one of the same kind failed, so the time is at most pattern times path,
 * squared by the two kinds. No recursion.
 */
#include "repo/glob.h"

#include <string.h>

/* Matches c with the set at *p (after '['), stepping over it; *set is false
 * when it is not closed and so an ordinary '['. */
static bool
match_set(const char **p, unsigned char c, bool *set)
{
    const char *q = *p;
    bool not = *q == '!' || *q == '^', in = false;
    unsigned char low, high;
    const char *start;

    q += not;
    for (start = q; *q && (*q != ']' || q == start); q++) {
        if (*q == '\\' && q[1])
            q++;
        low = high = (unsigned char)*q;
        if (q[1] == '-' && q[2] && q[2] != ']') {
            q += 2;
            high = (unsigned char)*q;
        }
        in = in || (c >= low && c <= high);
    }
    *set = *q == ']';
    if (*set)
        *p = q + 1;
    return *set && c != '/' && in != not;
}

/* Matches one byte of the path with the item at *p, stepping over it. */
static bool
match_one(const char **p, unsigned char c)
{
    const char *q = *p;
    bool set;

    if (*q == '?') {
        *p = q + 1;
        return c != '/';
    }
    if (*q == '[') {
        *p = q + 1;
        if (match_set(p, c, &set))
            return true;
        if (set)
            return false;
        *p = q;
    } else if (*q == '\\' && q[1]) {
        q++;
    }
    *p = q + 1;
    return *q && (unsigned char)*q == c;
}

/* The pattern matches path[n] or, if below, a directory that it is in. */
static bool
match_from(const char *pattern, const char *path, size_t n, bool below)
{
    const char *p = pattern, *one = NULL, *all = NULL;
    size_t i = 0, one_at = 0, all_at = 0;

    for (;;) {
        if (p[0] == '*' && p[1] == '*') {
            while (*p == '*')
                p++;
            all = p;
            all_at = i;
            one = NULL;
            /* "**" "/" also stands for no directory at all */
            if (*p == '/' && (i == 0 || path[i - 1] == '/'))
                p++;
            continue;
        }
        if (*p == '*') {
            one = ++p;
            one_at = i;
            continue;
        }
        if (*p == '\0' && (i == n || (below && path[i] == '/')))
            return true;
        if (below && p[0] == '/' && p[1] == '\0' && i < n && path[i] == '/')
            return true;
        if (i < n && *p && match_one(&p, (unsigned char)path[i])) {
            i++;
        } else if (one && one_at < n && path[one_at] != '/') {
            i = ++one_at;
            p = one;
        } else if (all && all_at < n) {
            i = ++all_at;
            p = all;
            one = NULL;
            if (*p == '/' && path[i - 1] == '/')
                p++;
        } else {
            return false;
        }
    }
}

bool
glob_match(const char *pattern, const char *path, size_t n)
{
    const char *slash;

    if (strchr(pattern, '/')) {
        if (*pattern == '/')
            pattern++;
        return match_from(pattern, path, n, true);
    }
    /* some part of the path: the last one or a directory */
    for (;;) {
        if (match_from(pattern, path, n, true))
            return true;
        slash = memchr(path, '/', n);
        if (!slash)
            return false;
        n -= (size_t)(slash + 1 - path);
        path = slash + 1;
    }
}

bool
glob_match_file(const char *pattern, const char *path, size_t n)
{
    const char *slash = n ? memrchr(path, '/', n) : NULL;

    if (!strchr(pattern, '/') && slash) {
        n -= (size_t)(slash + 1 - path);
        path = slash + 1;
    }
    return match_from(pattern + (*pattern == '/'), path, n, false);
}
