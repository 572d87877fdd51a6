/* config.c - a repository's configuration, as far as it says what can't be
 * read: sections, keys and values, without the quoting that no such value
 * needs.
 */
#include "repo/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define MAX_CONFIG (4u << 20)

struct setting {
    char section[64]; /* lower case, without the quoted part */
    char key[64];     /* lower case */
    char value[128];
};

static const char *
skip_blank(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

static const char *
copy_word(const char *p, const char *stop, char *out, size_t cap)
{
    size_t n = 0;

    while (*p && *p != '\n' && !strchr(stop, *p)) {
        if (n + 1 < cap)
            out[n++] = *p;
        p++;
    }
    while (n > 0 && strchr(" \t\r", out[n - 1]))
        n--;
    out[n] = '\0';
    return p;
}

/* One setting after another; false at the end of the text. */
static bool
next_setting(const char **at, struct setting *s)
{
    const char *p = *at;

    for (;;) {
        p = skip_blank(p);
        if (*p == '\0')
            return false;
        if (*p == '\n') {
            p++;
        } else if (*p == '#' || *p == ';') {
            p += strcspn(p, "\n");
        } else if (*p == '[') {
            p = copy_word(skip_blank(p + 1), "].\" \t", s->section,
                          sizeof(s->section));
            p += strcspn(p, "]\n");
            p += *p == ']';
        } else {
            break;
        }
    }
    p = copy_word(p, "=#;", s->key, sizeof(s->key));
    memcpy(s->value, "true", sizeof("true"));
    if (*p == '=') {
        p = skip_blank(p + 1);
        p += *p == '"';
        p = copy_word(p, "#;\"", s->value, sizeof(s->value));
    }
    *at = p + strcspn(p, "\n");
    return true;
}

static bool
has_include(const char *p)
{
    while ((p = strchr(p, '[')) != NULL) {
        p = skip_blank(p + 1);
        if (strncasecmp(p, "include", 7) == 0)
            return true;
    }
    return false;
}

static int
judge_extension(const struct place *p, const struct setting *s,
                struct err *e)
{
    static const char *const known[] = {
        "noop", "preciousobjects", "worktreeconfig", "noop-v1",
        "relativeworktrees", "partialclone"
    };
    size_t i;

    if (strcasecmp(s->key, "objectformat") == 0
        && strcasecmp(s->value, "sha1") == 0)
        return 0;
    if (strcasecmp(s->key, "refstorage") == 0
        && strcasecmp(s->value, "files") == 0)
        return 0;
    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcasecmp(s->key, known[i]) == 0)
            return 0;
    }
    return err_set(e, ERR_DATA, "%s: unsupported extensions.%s (found %s)",
                   p->common, s->key, s->value);
}

/* Of a clone whose remote keeps promises; all may be here nonetheless. */
static bool
says_partial(const struct setting *s)
{
    if (strcasecmp(s->section, "extensions") == 0)
        return strcasecmp(s->key, "partialclone") == 0;
    return strcasecmp(s->section, "remote") == 0
           && (strcasecmp(s->key, "partialclonefilter") == 0
            || (strcasecmp(s->key, "promisor") == 0
             && strcasecmp(s->value, "false") != 0));
}

static int
judge_setting(struct place *p, const struct setting *s, struct err *e)
{
    char *end;
    long version;

    p->partial = p->partial || says_partial(s);
    if (strcasecmp(s->section, "extensions") == 0)
        return judge_extension(p, s, e);
    if (strcasecmp(s->section, "core") == 0
        && strcasecmp(s->key, "repositoryformatversion") == 0) {
        version = strtol(s->value, &end, 10);
        if (*end || version < 0 || version > 1)
            return err_set(e, ERR_DATA, "%s: unsupported repository format "
                           "(found %s, expected 0 or 1)", p->common,
                           s->value);
    }
    return 0;
}

int
config_judge(struct place *p, struct err *e)
{
    struct setting s = {"", "", ""};
    struct buf text;
    const char *at;
    bool found;
    int rc;

    buf_init(&text);
    rc = place_read(p, p->common, "config", MAX_CONFIG, &text, &found, e);
    if (rc == 0 && !p->trust && has_include(text.data))
        rc = err_set(e, ERR_DATA, "%s/config: includes another file; use "
                     "--trust to read the repository all the same",
                     p->common);
    at = text.data;
    if (strncmp(at, "\xef\xbb\xbf", 3) == 0) /* as git does */
        at += 3;
    while (rc == 0 && next_setting(&at, &s))
        rc = judge_setting(p, &s, e);
    buf_release(&text);
    return rc;
}
