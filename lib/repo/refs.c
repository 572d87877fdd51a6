/* refs.c - loose and packed references. */
#include "repo/refs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"

#define MAX_REFS (1u << 20)
#define MAX_REF_FILE 4096
#define MAX_LINKS 5

/* ---- one reference ---- */

/* A name that stays below refs/ when it is used as a path. */
static bool
safe_name(const char *name)
{
    const char *part = name;
    size_t n;

    if (strncmp(name, "refs/", 5) != 0)
        return false;
    for (;;) {
        n = strcspn(part, "/");
        if (n == 0 || part[0] == '.')
            return false;
        if (part[n] == '\0')
            return true;
        part += n + 1;
    }
}

static void
chomp(struct buf *b)
{
    while (b->len > 0 && strchr(" \t\r\n", b->data[b->len - 1]))
        b->data[--b->len] = '\0';
}

/* The line "HEX NAME" of packed-refs; false if there is none. */
static bool
find_packed(const struct place *p, const char *name, struct oid *id)
{
    const char *at = p->packed.data, *end = at + p->packed.len, *eol;
    size_t n = strlen(name);

    for (; at < end; at = eol + 1) {
        eol = memchr(at, '\n', (size_t)(end - at));
        if (!eol)
            eol = end;
        if ((size_t)(eol - at) == OID_HEX + 1 + n && at[OID_HEX] == ' '
            && memcmp(at + OID_HEX + 1, name, n) == 0
            && oid_parse(id, at, OID_HEX))
            return true;
    }
    return false;
}

/* Reads one step: an id, or the next name in *text (then *link). */
static int
read_ref(const struct place *p, const char *name, struct buf *text,
         struct oid *id, bool *found, bool *link, struct err *e)
{
    const char *dir = strcmp(name, "HEAD") == 0 ? p->gitdir : p->common;
    char target[MAX_REF_FILE], *path;
    struct stat st;
    int rc;

    if (place_link(p, dir, name, target, sizeof(target))
        && safe_name(target)) { /* as git of 2005 wrote a symbolic reference */
        buf_reset(text);
        buf_addf(text, "ref: %s", target);
        *found = *link = true;
        return 0;
    }
    *link = false;
    path = path_join(dir, name);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        *found = false;
        rc = 0;
    } else {
        rc = place_read(p, dir, name, MAX_REF_FILE, text, found, e);
    }
    free(path);
    if (rc < 0)
        return rc;
    if (!*found) {
        *found = find_packed(p, name, id);
        return 0;
    }
    chomp(text);
    if (strncmp(text->data, "ref:", 4) == 0) {
        *link = true;
        return 0;
    }
    if (!oid_parse(id, text->data, text->len))
        return err_set(e, ERR_DATA, "%s/%s: neither an object id nor a "
                       "symbolic reference", dir, name);
    return 0;
}

int
refs_resolve(const struct place *p, const char *name, struct oid *id,
             bool *found, char **target, struct err *e)
{
    struct buf text;
    char *at = mem_strdup(name);
    const char *next;
    bool link = true;
    int rc = 0, links;

    buf_init(&text);
    for (links = 0; rc == 0 && link; links++) {
        if (links > MAX_LINKS) {
            rc = err_set(e, ERR_DATA, "%s: too many symbolic references",
                         name);
            break;
        }
        rc = read_ref(p, at, &text, id, found, &link, e);
        if (rc < 0 || !link)
            break;
        next = text.data + 4;
        next += strspn(next, " \t");
        if (!safe_name(next)) {
            rc = err_set(e, ERR_DATA, "%s: %s points out of refs/ "
                         "(found %s)", p->common, at, next);
            break;
        }
        free(at);
        at = mem_strdup(next);
    }
    if (rc == 0 && !*found && target)
        *target = mem_strdup(at);
    free(at);
    buf_release(&text);
    return rc;
}

/* ---- all of them ---- */

struct listing {
    const struct place *place;
    struct map name; /* value: index into ref */
    struct ref *ref;
    size_t n, cap, n_dirs;
};

/* why is NULL, or what is wrong with it. */
static int
add_ref(struct listing *l, const char *name, size_t n, const struct oid *id,
        const struct err *why, struct err *e)
{
    struct map_entry *entry;
    struct ref *ref;
    bool added;

    if (l->n >= MAX_REFS)
        return err_set(e, ERR_LIMIT, "%s: too many references (limit %u)",
                       l->place->common, MAX_REFS);
    entry = map_put(&l->name, name, n, l->n, &added);
    if (added && l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->ref = mem_grow(l->ref, l->cap * sizeof(*l->ref));
    }
    ref = &l->ref[entry->value];
    if (added) {
        l->n++;
        ref->name = mem_dup(name, n);
        ref->why = NULL;
    }
    ref->id = *id;
    if (why && !ref->why)
        ref->why = mem_dup((const char *)why, sizeof(*why));
    return 0;
}

static int
list_packed(struct listing *l, struct err *e)
{
    const char *at = l->place->packed.data;
    const char *end = at + l->place->packed.len, *eol;
    struct oid id;
    size_t n;
    int rc = 0;

    for (; rc == 0 && at < end; at = eol + 1) {
        eol = memchr(at, '\n', (size_t)(end - at));
        if (!eol)
            eol = end;
        n = (size_t)(eol - at);
        if (n == 0 || *at == '#' || *at == '^')
            continue;
        if (n < OID_HEX + 2 || at[OID_HEX] != ' '
            || !oid_parse(&id, at, OID_HEX))
            return err_set(e, ERR_DATA, "%s/packed-refs: malformed line at "
                           "byte %td", l->place->common,
                           at - l->place->packed.data);
        rc = add_ref(l, at + OID_HEX + 1, n - OID_HEX - 1, &id, NULL,
                     e);
    }
    return rc;
}

static bool
is_lock(const char *name)
{
    size_t n = strlen(name);

    return n >= 5 && strcmp(name + n - 5, ".lock") == 0;
}

/* The directory dir is one of those above name. */
static bool
holds(const struct place *p, const char *name, const struct stat *dir)
{
    char *path = path_join(p->common, name);
    char *end = path + strlen(path);
    size_t least = strlen(path) - strlen(name);
    struct stat st;
    bool yes = false;

    while (!yes && (end = memrchr(path, '/', (size_t)(end - path)))
           && (size_t)(end - path) + 1 >= least) {
        *end = '\0';
        yes = stat(path, &st) == 0 && st.st_dev == dir->st_dev
              && st.st_ino == dir->st_ino;
    }
    free(path);
    return yes;
}

/* One entry of a directory below refs/: a directory goes to *pending. */
static int
list_entry(struct listing *l, char *name, struct buf *pending,
           struct err *e)
{
    char *path = path_join(l->place->common, name);
    struct stat st, target;
    struct oid id = {{0}};
    struct err why;
    bool found, link;
    int rc = 0;

    if (lstat(path, &st) != 0 || is_lock(name)) {
        free(path);
        return 0;
    }
    link = S_ISLNK(st.st_mode) && stat(path, &target) == 0
           && S_ISDIR(target.st_mode);
    if (link && !l->place->trust) {
        rc = err_set(e, ERR_DATA, "%s: a symbolic link; use --trust if it "
                     "may be followed", path);
    } else if (link && holds(l->place, name, &target)) {
        rc = err_set(e, ERR_DATA, "%s: a directory that holds itself",
                     path);
    } else if (link || S_ISDIR(st.st_mode)) {
        if (++l->n_dirs > MAX_REFS)
            rc = err_set(e, ERR_LIMIT, "%s/refs: too many directories "
                         "(limit %u)", l->place->common, MAX_REFS);
        buf_add(pending, name, strlen(name) + 1);
    } else {
        rc = refs_resolve(l->place, name, &id, &found, NULL, &why);
        if (rc == ERR_DATA || rc == ERR_LIMIT)
            rc = add_ref(l, name, strlen(name), &id, &why, e);
        else if (rc == 0 && found)
            rc = add_ref(l, name, strlen(name), &id, NULL, e);
        else if (rc < 0)
            *e = why;
    }
    free(path);
    return rc;
}

static int
list_loose(struct listing *l, struct err *e)
{
    struct buf pending;
    char **entry, *dir, *path, *name;
    size_t at = 0, n, i;
    int rc = 0;

    buf_init(&pending);
    buf_add(&pending, "refs", 5);
    while (rc == 0 && at < pending.len) {
        dir = mem_strdup(pending.data + at);
        at += strlen(dir) + 1;
        path = path_join(l->place->common, dir);
        entry = NULL;
        n = 0;
        rc = dir_list(&entry, &n, path, e);
        for (i = 0; rc == 0 && i < n; i++) {
            name = path_join(dir, entry[i]);
            rc = list_entry(l, name, &pending, e);
            free(name);
        }
        dir_list_free(entry, n);
        free(path);
        free(dir);
    }
    buf_release(&pending);
    return rc;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct ref *)a)->name,
                  ((const struct ref *)b)->name);
}

int
refs_list(const struct place *p, struct ref **out, size_t *n, struct err *e)
{
    struct listing l = {.place = p};
    int rc;

    map_init(&l.name);
    rc = list_packed(&l, e);
    if (rc == 0)
        rc = list_loose(&l, e);
    map_release(&l.name);
    if (rc < 0) {
        refs_free(l.ref, l.n);
        return rc;
    }
    if (l.n > 0)
        qsort(l.ref, l.n, sizeof(*l.ref), by_name);
    *out = l.ref;
    *n = l.n;
    return 0;
}

void
refs_free(struct ref *ref, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        free(ref[i].name);
        free(ref[i].why);
    }
    free(ref);
}
