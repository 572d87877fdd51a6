/* lang.c - the path tells first: a name or an extension that is known is
 * believed, whatever the text looks like.
 */
#include "repo/lang.h"

#include <stdbool.h>
#include <string.h>

#include "base/anycase.h"
#include "repo/lang_table.h"

struct name {
    const char *p;
    size_t n;
};

static const char *
find(const struct lang_name *table, size_t n_table, struct name key)
{
    size_t i;

    for (i = 0; i < n_table && key.n > 0; i++) {
        if (table[i].key[0] == key.p[0] && strlen(table[i].key) == key.n
            && memcmp(table[i].key, key.p, key.n) == 0)
            return table[i].lang;
    }
    return NULL;
}

const char *
lang_of_extension(const char *key, size_t n)
{
    const char *found = find(lang_by_extension, lang_n_extensions,
                             (struct name){ key, n });
    size_t i;

    for (i = 0; !found && i < lang_n_extensions; i++) {
        if (anycase_is(key, n, lang_by_extension[i].key))
            found = lang_by_extension[i].lang;
    }
    return found;
}

static const char *
by_name(struct name name)
{
    return find(lang_by_name, lang_n_names, name);
}

/* What is before the first dot, or behind the last one; n is 0 where there is
 * none, or nothing before it. */
static struct name
stem(struct name name)
{
    const char *dot = name.n > 0 ? memchr(name.p, '.', name.n) : NULL;

    return (struct name){ name.p, dot ? (size_t)(dot - name.p) : 0 };
}

static struct name
extension(struct name name)
{
    const char *dot = name.n > 0 ? memrchr(name.p, '.', name.n) : NULL;

    if (!dot || dot == name.p)
        return (struct name){ name.p, 0 };
    return (struct name){ dot + 1, (size_t)(name.p + name.n - dot) - 1 };
}

/* One that says how a file is used, and not what is in it. */
static bool
passed_over(struct name ext)
{
    static const char *const word[] = {
        "in", "tpl", "tmpl", "template", "default", "dist", "sample",
        "example", "orig", "bak", "old", "new", "inc", "j2", "liquid",
        "prebuilt", "gitted"
    };
    size_t i;

    for (i = 0; i < sizeof(word) / sizeof(*word); i++) {
        if (strlen(word[i]) == ext.n && memcmp(word[i], ext.p, ext.n) == 0)
            return true;
    }
    return false;
}

/* The language by name and extension, after taking off those that say
 * nothing. */
static const char *
by_path(struct name *whole)
{
    struct name name = *whole;
    const char *found = NULL;
    struct name ext;
    int rounds;

    for (rounds = 0; rounds < 3 && !found; rounds++) {
        found = by_name(name);
        ext = extension(name);
        if (found || ext.n == 0)
            break;
        if (!passed_over(ext))
            found = lang_of_extension(ext.p, ext.n);
        if (!passed_over(ext))
            break;
        name.n -= ext.n + 1;
    }
    *whole = name;
    return found;
}

/* Of Makefile.unix, README.first or Dockerfile.amd64, what is before the
 * dot. */
static const char *
by_stem(struct name name)
{
    return by_name(stem(name));
}

const char *
lang_of(const char *path, size_t n, const char *p, size_t len)
{
    const char *slash = memrchr(path, '/', n), *found;
    struct name name = { path, n }, bare, ext;

    if (slash)
        name = (struct name){ slash + 1, (size_t)(path + n - slash) - 1 };
    bare = name;
    found = by_path(&bare);
    if (!found && p)
        found = lang_of_content(p, len);
    if (!found)
        found = by_stem(name);
    ext = extension(name);
    if (!found)
        found = lang_of_extension(ext.p, ext.n);
    ext = extension(bare);
    if (!found && p && ext.n > 0 && ext.n <= 3 && ext.p[0] >= '1'
        && ext.p[0] <= '9' && lang_is_manual(p, len))
        found = "troff";
    return found;
}
