/* drops_commit.c - commits by their author and message. */
#include "record/drops_parts.h"

#include <string.h>

#include "base/anycase.h"
#include "text/author_kind.h"

/* "Bump x from 1 to 2", "chore(deps): update x to v3", "Release 1.2", "v1.2"
 */
static const char bumps[] =
    "\\A(?i)(?:[\\w()./ -]{1,40}: *|\\[[^\\]\\n]{1,30}\\] *)?"
    "(?:bump(?:s|ed)?\\b[^\\n]*"
    "(?:\\bversions?\\b|\\b(?:to|from|for) v?\\d+\\.\\d)[^\\n]*"
    "|(?:updated?|upgrade|increment|prepare)\\b[^\\n]*"
    "(?:\\bversion (?:number|to)\\b|\\b(?:to|from) v?\\d+\\.\\d)[^\\n]*"
    "|set (?:the )?version\\b[^\\n]*"
    "|bump(?:s|ed)? [^\\s]+(?: and [^\\s]+)?"
    "|(?:release|version|prepare for)? *v?\\d+\\.\\d+(?:\\.\\d+)*"
    "(?:[-.]?[a-z]+[.\\d]*)?(?: release)?\\.?)\\Z";

/* By what gitscrape says of the author, by the author's name where there is
 * one, or by who signed the commit off. */
static bool
by_bot(const struct text_rec *r, struct drop_found *found)
{
    const struct text_field *type = text_get(r, "author_type");
    const struct text_field *author = text_get(r, "author");
    const struct text_field *body = text_get(r, "body");

    found->why = NULL;
    if (type && type->len == 3 && memcmp(type->data, "Bot", 3) == 0)
        return true;
    if (author && author_is_bot(author->data, author->len))
        return true;
    return body && anycase_has(body->data, body->len, "signed-off-by: ")
           && anycase_has(body->data, body->len, "[bot] <");
}

/* git's own words: as the subject, or as the first of the body, where one who
 * wrote another subject left them. */
static bool
is_revert(const struct text_rec *r)
{
    const struct text_field *subject = text_get(r, "subject");
    const struct text_field *body = text_get(r, "body");
    size_t at = 0;

    if (subject && (anycase_begins(subject->data, subject->len, "revert \"")
                    || anycase_begins(subject->data, subject->len,
                                      "reapply \"")))
        return true;
    while (body && at < body->len && strchr(" \t\n", body->data[at]))
        at++;
    return body && anycase_begins(body->data + at, body->len - at,
                                  "this reverts commit ");
}

int
drops_open_bump(struct drops *d, struct err *e)
{
    return pattern_open(&d->bump, bumps, strlen(bumps), "bump", e);
}

static bool
is_bump(const struct drops *d, struct drops_worker *w,
        const struct text_rec *r)
{
    const struct text_field *subject = text_get(r, "subject");
    struct pattern_match m;

    return subject
           && pattern_find(&d->bump, &w->search, subject->data, subject->len,
                           0, 0, &m) > 0;
}

bool
drops_of_commit(const struct drops *d, struct drops_worker *w,
                const struct text_rec *r, const struct change *c,
                struct drop_found *found)
{
    const char *why;

    found->why = NULL;
    if (d->on[DROP_BOT] && by_bot(r, found))
        found->drop = DROP_BOT;
    else if (d->on[DROP_REVERT] && is_revert(r))
        found->drop = DROP_REVERT;
    else if (d->on[DROP_BUMP] && is_bump(d, w, r))
        found->drop = DROP_BUMP;
    else if (d->on[DROP_COMMITPACKFT]
             && (why = drops_commitpackft(r, c)) != NULL)
        *found = (struct drop_found){ .drop = DROP_COMMITPACKFT, .why = why,
                                      .n_why = strlen(why) };
    else
        return false;
    return true;
}
