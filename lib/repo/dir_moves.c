/* dir_moves.c - directories by name: which were removed, how many of their
 * files went where, and what that means for a new file.
 */
#include "repo/dir_moves.h"

#include <stdint.h>
#include <string.h>

#include "repo/span.h"

/* What is known of a removed directory: the other side added a file to it, or
 * to one that it is in, which has been looked up. */
enum { JOINED = 1, UNDER = 2, CHECKED = 4 };

/* map renamed: 1 + entry of count, times two, and 1 if another has as many */
#define RANK(entry) (2 * ((uint64_t)(entry) + 1))

void
dir_moves_init(struct dir_moves *m)
{
    int s;

    for (s = 0; s < 2; s++) {
        map_init(&m->removed[s]);
        map_init(&m->count[s]);
        map_init(&m->renamed[s]);
        map_init(&m->to[s]);
    }
    buf_init(&m->key);
}

void
dir_moves_release(struct dir_moves *m)
{
    int s;

    for (s = 0; s < 2; s++) {
        map_release(&m->removed[s]);
        map_release(&m->count[s]);
        map_release(&m->renamed[s]);
        map_release(&m->to[s]);
    }
    buf_release(&m->key);
}

/* The length of the directory that a path is in, 0 for the root. */
static size_t
dir_of(const char *path, size_t n)
{
    const char *slash = memrchr(path, '/', n);

    return slash ? (size_t)(slash - path) : 0;
}

/* ---- what was removed ---- */

static void
add_removed(struct map *removed, const struct tree_diff *d,
            const struct tree_change *c)
{
    const char *dir = d->paths.data + c->dir;
    size_t n = c->dir_len;
    bool added = true;

    while (added && n > c->kept_len) {
        n = dir_of(dir, n);
        if (n == 0)
            break;
        map_put(removed, dir, n, 0, &added);
        if (n + 1 <= c->kept_len)
            break;
    }
}

void
dir_moves_find_removed(struct dir_moves *m, const struct tree_diff diff[2])
{
    const struct tree_change *c;
    struct map_entry *entry;
    size_t i;
    int s;

    for (s = 0; s < 2; s++) {
        map_clear(&m->removed[s]);
        for (i = 0; i < diff[s].n; i++) {
            c = &diff[s].change[i];
            if (!c->there[1] && c->dir_len > c->kept_len)
                add_removed(&m->removed[s], &diff[s], c);
        }
    }
    for (s = 0; s < 2; s++) {
        for (i = 0; m->removed[s].n > 0 && i < diff[1 - s].n; i++) {
            c = &diff[1 - s].change[i];
            if (c->there[0] || c->dir_len == 0)
                continue;
            entry = map_get(&m->removed[s], diff[1 - s].paths.data + c->dir,
                            c->dir_len - 1);
            if (entry)
                entry->value = JOINED;
        }
    }
}

/* Whether the other side added to a directory, or to one that it is in. */
static bool
is_under(struct map *removed, const char *dir, size_t n)
{
    uint64_t under = 0;
    size_t len[TREE_MAX_PATH / 2 + 1], k = 0;
    struct map_entry *entry;

    for (; n > 0; n = dir_of(dir, n)) {
        entry = map_get(removed, dir, n);
        if (entry && (entry->value & CHECKED))
            under = entry->value & UNDER;
        if (!entry || (entry->value & CHECKED))
            break;
        len[k++] = n;
    }
    while (k-- > 0) {
        entry = map_get(removed, dir, len[k]);
        if (entry->value & JOINED)
            under = UNDER;
        entry->value |= CHECKED | under;
    }
    return under != 0;
}

bool
dir_moves_want(struct dir_moves *m, int side, const struct tree_diff *d,
               const struct tree_change *gone)
{
    return m->removed[side].n > 0 && gone->dir_len > 0
           && is_under(&m->removed[side], d->paths.data + gone->dir,
                       gone->dir_len - 1);
}

/* ---- what was renamed ---- */

static void
count_one(struct dir_moves *m, int side, struct span from, struct span to)
{
    buf_reset(&m->key);
    buf_add(&m->key, from.p, from.n);
    buf_addc(&m->key, '\0');
    buf_add(&m->key, to.p, to.n);
    map_put(&m->count[side], m->key.data, m->key.len, 0, NULL)->value++;
}

/* The part of a path between a directory and the end at n. */
static struct span
part(struct span path, size_t dir, size_t n)
{
    size_t at = dir > 0 ? dir + 1 : 0;

    return (struct span){ path.p + at, n - at };
}

/* A file that went from a/b/c/f to x/b/c/f says that a/b/c became x/b/c, a/b
 * x/b, and a x. */
static void
count_dirs(struct dir_moves *m, int side, struct span from, struct span to)
{
    const struct map_entry *entry;
    struct span last[2];
    size_t n = from.n, k = to.n, dir, into;
    bool first = true;

    do {
        dir = dir_of(from.p, n);
        into = dir_of(to.p, k);
        entry = map_get(&m->removed[side], from.p, dir);
        last[0] = part(from, dir, n);
        last[1] = part(to, into, k);
        if (!entry
            || (!first && (last[0].n != last[1].n
                           || memcmp(last[0].p, last[1].p, last[0].n) != 0)))
            return;
        if (first || (entry->value & JOINED))
            count_one(m, side, (struct span){ from.p, dir },
                      (struct span){ to.p, into });
        first = false;
        n = dir;
        k = into;
    } while (is_under(&m->removed[side], from.p, dir) && n > 0 && k > 0);
}

static void
rank(struct dir_moves *m, int side)
{
    const struct map *count = &m->count[side];
    struct map_entry *entry;
    const char *key;
    size_t i, n;
    bool added;

    for (i = 0; i < count->n; i++) {
        key = map_key(count, i);
        n = strnlen(key, count->entry[i].len);
        if (!is_under(&m->removed[side], key, n))
            continue;
        entry = map_put(&m->renamed[side], key, n, RANK(i), &added);
        if (added)
            continue;
        if (count->entry[i].value > count->entry[entry->value / 2 - 1].value)
            entry->value = RANK(i);
        else if (count->entry[i].value
                 == count->entry[entry->value / 2 - 1].value)
            entry->value |= 1;
    }
}

/* Where a side renamed a directory to: 1 + entry of count; 0: nowhere. */
static size_t
renamed(const struct dir_moves *m, int side, const char *dir, size_t n)
{
    const struct map_entry *entry = map_get(&m->renamed[side], dir, n);

    if (!entry || (entry->value & 1))
        return 0;
    return (size_t)(entry->value / 2);
}

/* As renamed; what both sides renamed stays. */
static size_t
renamed_alone(const struct dir_moves *m, int side, const char *dir, size_t n)
{
    return renamed(m, 1 - side, dir, n) ? 0 : renamed(m, side, dir, n);
}

/* Sets m->key to where a side's file goes along with a directory that the
 * other side renamed; false: nowhere. */
static bool
goes_along(struct dir_moves *m, int side, const char *path, size_t n)
{
    const struct map *count = &m->count[1 - side];
    size_t dir, i = 0;
    struct span to;

    for (dir = dir_of(path, n); dir > 0 && i == 0; dir = dir_of(path, dir)) {
        i = renamed_alone(m, 1 - side, path, dir);
        if (i > 0)
            break;
    }
    if (i == 0)
        return false;
    to.p = map_key(count, i - 1) + dir + 1;
    to.n = count->entry[i - 1].len - dir - 1;
    if (renamed_alone(m, side, to.p, to.n))
        return false;
    buf_reset(&m->key);
    buf_add(&m->key, to.p, to.n);
    if (to.n > 0)
        buf_addc(&m->key, '/');
    buf_add(&m->key, path + dir + 1, n - dir - 1);
    return true;
}

static void
count_side(struct dir_moves *m, int side, const struct tree_diff *d)
{
    struct buf from, to;
    size_t i;

    buf_init(&from);
    buf_init(&to);
    map_clear(&m->count[side]);
    map_clear(&m->renamed[side]);
    for (i = 0; m->removed[side].n > 0 && i < d->n; i++) {
        if (!d->change[i].renamed || d->change[i].there[1])
            continue;
        tree_path(d, &d->change[i], &from);
        tree_path(d, &d->change[d->change[i].renamed - 1], &to);
        count_dirs(m, side, (struct span){ from.data, from.len },
                   (struct span){ to.data, to.len });
    }
    rank(m, side);
    buf_release(&from);
    buf_release(&to);
}

void
dir_moves_find_renamed(struct dir_moves *m, const struct tree_diff diff[2])
{
    struct map_entry *entry;
    struct buf path;
    size_t i;
    bool added;
    int s;

    buf_init(&path);
    for (s = 0; s < 2; s++)
        count_side(m, s, &diff[s]);
    for (s = 0; s < 2; s++) {
        map_clear(&m->to[s]);
        for (i = 0; m->renamed[1 - s].n > 0 && i < diff[s].n; i++) {
            if (diff[s].change[i].there[0])
                continue;
            tree_path(&diff[s], &diff[s].change[i], &path);
            if (!goes_along(m, s, path.data, path.len))
                continue;
            entry = map_put(&m->to[s], m->key.data, m->key.len, i + 1,
                            &added);
            if (!added)
                entry->value = 0;
        }
    }
    buf_release(&path);
}

const struct tree_change *
dir_moves_to(const struct dir_moves *m, int side, const struct tree_diff *d,
             const char *path, size_t n)
{
    const struct map_entry *entry = map_get(&m->to[side], path, n);

    return entry && entry->value > 0 ? &d->change[entry->value - 1] : NULL;
}

bool
dir_moves_away(struct dir_moves *m, int side, const char *path, size_t n)
{
    const struct map_entry *entry;

    if (!goes_along(m, side, path, n))
        return false;
    entry = map_get(&m->to[side], m->key.data, m->key.len);
    return entry && entry->value > 0;
}
