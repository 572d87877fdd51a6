/* author_kind.c - names of programs that commit. */
#include "text/author_kind.h"

#include <ctype.h>
#include <string.h>

#include "base/anycase.h"

/* The name ends in "bot" as a word of its own: "release-bot". */
static bool
ends_in_bot(const char *p, size_t n)
{
    return n > 4 && anycase_ends(p, n, "bot")
           && strchr("-_ ", p[n - 4]) != NULL && p[n - 4] != '\0';
}

bool
author_is_bot(const char *p, size_t n)
{
    static const char *const marks[] = {
        "[bot]", "dependabot", "renovate-bot", "renovatebot", "greenkeeper",
        "pyup-bot", "snyk-bot", "github-actions", "pre-commit-ci",
        "semantic-release-bot", "travis-ci.org>", "mergify[", "allcontributors",
        "weblate <", "hosted weblate", "noreply@weblate", "-bot@", "bot@users",
        NULL
    };
    const char *mail = memchr(p, '<', n);
    size_t name = mail ? (size_t)(mail - p) : n;

    for (int i = 0; marks[i]; i++)
        if (anycase_has(p, n, marks[i]))
            return true;
    while (name > 0 && isspace((unsigned char)p[name - 1]))
        name--;
    return ends_in_bot(p, name);
}
