/* room.c - reads /proc and the control groups' files, and keeps the narrowest
 * of the bounds that they name. */
#include "base/room.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"

#define MAX_FILE (1 << 20)

/* The names of a version's files, and its keys of memory.stat. */
struct group_files {
    const char *limit, *usage, *inactive, *active;
};

static const struct group_files versions[] = {
    { .limit = "memory.limit_in_bytes", .usage = "memory.usage_in_bytes",
      .inactive = "total_inactive_file ", .active = "total_active_file " },
    { .limit = "memory.max", .usage = "memory.current",
      .inactive = "inactive_file ", .active = "active_file " },
};

/* Where a version's hierarchy is mounted, and where in it the process is. */
struct group {
    const struct group_files *files;
    char *path;  /* of the process, from the hierarchy's own root */
    char *root;  /* of the hierarchy: what is mounted at mount */
    char *mount;
};

static bool
read_text(struct buf *b, const char *root, const char *path)
{
    char *name = mem_array(strlen(root) + strlen(path) + 1, 1);
    struct err e;
    bool ok;

    memcpy(name, root, strlen(root));
    memcpy(name + strlen(root), path, strlen(path));
    buf_reset(b);
    ok = file_read(b, name, MAX_FILE, &e) == 0;
    free(name);
    return ok;
}

/* The whole number at p after blanks. */
static bool
read_number(const char *p, uint64_t *out)
{
    char *end;
    unsigned long long n;

    p += strspn(p, " \t");
    if (*p < '0' || *p > '9')
        return false;
    errno = 0;
    n = strtoull(p, &end, 10);
    if (errno != 0)
        return false;
    *out = n;
    return true;
}

/* The number of the line that begins with key. */
static bool
find_number(const char *text, const char *key, uint64_t *out)
{
    const char *p = text;

    while (p != NULL && strncmp(p, key, strlen(key)) != 0) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    return p != NULL && read_number(p + strlen(key), out);
}

static void
bound(struct room_bound *r, uint64_t limit, uint64_t used, const char *by)
{
    uint64_t left = limit > used ? limit - used : 0;

    if (left >= r->bytes)
        return;
    r->bytes = left;
    snprintf(r->by, sizeof(r->by), "%s", by);
}

static void
measure_machine(struct room *r, const char *root, struct buf *b)
{
    uint64_t n;

    if (read_text(b, root, "/proc/meminfo")
        && find_number(b->data, "MemAvailable:", &n))
        bound(&r->resident, n * 1024, 0, "MemAvailable of /proc/meminfo");
}

static void
measure_process(struct room *r, const char *root, struct buf *b)
{
    uint64_t size = 0, data = 0, limit;

    if (!read_text(b, root, "/proc/self/status"))
        return;
    find_number(b->data, "VmSize:", &size);
    find_number(b->data, "VmData:", &data);
    find_number(b->data, "RssAnon:", &r->held);
    r->held *= 1024;
    if (!read_text(b, root, "/proc/self/limits"))
        return;
    if (find_number(b->data, "Max address space", &limit))
        bound(&r->mapped, limit, size * 1024, "RLIMIT_AS, ulimit -v");
    if (find_number(b->data, "Max data size", &limit))
        bound(&r->mapped, limit, data * 1024, "RLIMIT_DATA, ulimit -d");
}

/* One group's limit, if it has one. */
static void
measure_group(struct room *r, const char *root, const char *dir,
              const struct group_files *f, struct buf *b)
{
    char *limit_path = path_join(dir, f->limit);
    char *usage_path = path_join(dir, f->usage);
    char *stat_path = path_join(dir, "memory.stat");
    uint64_t limit, usage, inactive = 0, active = 0;

    if (read_text(b, root, limit_path) && read_number(b->data, &limit)
        && read_text(b, root, usage_path) && read_number(b->data, &usage)) {
        if (read_text(b, root, stat_path)) {
            find_number(b->data, f->inactive, &inactive);
            find_number(b->data, f->active, &active);
        }
        inactive += active;
        bound(&r->resident, limit, usage > inactive ? usage - inactive : 0,
              limit_path);
    }
    free(limit_path);
    free(usage_path);
    free(stat_path);
}

/* The group that the process is in and every one above it. A path that does
 * not lie below what is mounted is that of another name space: what is seen
 * then is the mount point's. */
static void
measure_groups(struct room *r, const char *root, const struct group *g,
               struct buf *b)
{
    size_t n = strcmp(g->root, "/") == 0 ? 0 : strlen(g->root);
    bool below = strncmp(g->path, g->root, n) == 0
                 && (g->path[n] == '/' || g->path[n] == '\0')
                 && strstr(g->path, "/..") == NULL;
    size_t least = strlen(g->mount), len;
    struct buf dir;

    buf_init(&dir);
    buf_addstr(&dir, g->mount);
    if (below && strcmp(g->path + n, "/") != 0)
        buf_addstr(&dir, g->path + n);
    for (len = dir.len; len >= least;) {
        dir.data[len] = '\0';
        measure_group(r, root, dir.data, g->files, b);
        while (len > 0 && dir.data[--len] != '/')
            ;
    }
    buf_release(&dir);
}

/* Lines "ID:CONTROLLERS:PATH" of /proc/self/cgroup; version 2 has none. */
static void
find_paths(struct group g[2], char *text)
{
    char *line, *rest = text;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *id = strsep(&line, ":"), *names = strsep(&line, ":"), *name;

        if (id == NULL || names == NULL || line == NULL)
            continue;
        if (*names == '\0' && g[1].path == NULL)
            g[1].path = mem_strdup(line);
        while ((name = strsep(&names, ",")) != NULL) {
            if (strcmp(name, "memory") == 0 && g[0].path == NULL)
                g[0].path = mem_strdup(line);
        }
    }
}

/* Blanks and the like stand as \ooo in mountinfo. */
static char *
unescape(const char *s)
{
    char *out = mem_strdup(s), *to = out;

    for (; *s; to++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0'
            && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
            *to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + s[3] - '0');
            s += 4;
        } else {
            *to = *s++;
        }
    }
    *to = '\0';
    return out;
}

/* Whether a mount's options name the memory controller. */
static bool
has_memory(char *options)
{
    char *name;

    while ((name = strsep(&options, ",")) != NULL) {
        if (strcmp(name, "memory") == 0)
            return true;
    }
    return false;
}

/* "ID PARENT DEV ROOT MOUNT OPTIONS ... - TYPE SOURCE OPTIONS". */
static void
find_mounts(struct group g[2], char *text)
{
    char *line, *rest = text;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *tail = strstr(line, " - "), *word[5] = { NULL }, *type;
        int v;

        if (tail == NULL)
            continue;
        *tail = '\0';
        tail += 3;
        for (int i = 0; i < 5; i++)
            word[i] = strsep(&line, " ");
        type = strsep(&tail, " ");
        strsep(&tail, " ");
        if (word[4] == NULL || tail == NULL)
            continue;
        v = strcmp(type, "cgroup2") == 0 ? 1
            : strcmp(type, "cgroup") == 0 && has_memory(tail) ? 0 : -1;
        if (v < 0 || g[v].mount != NULL)
            continue;
        g[v].root = unescape(word[3]);
        g[v].mount = unescape(word[4]);
    }
}

void
room_measure(struct room *r, const char *root)
{
    struct group g[2] = { { &versions[0] }, { &versions[1] } };
    struct buf b;

    memset(r, 0, sizeof(*r));
    r->resident.bytes = r->mapped.bytes = UINT64_MAX;
    buf_init(&b);
    measure_machine(r, root, &b);
    measure_process(r, root, &b);
    if (read_text(&b, root, "/proc/self/cgroup"))
        find_paths(g, b.data);
    if (read_text(&b, root, "/proc/self/mountinfo"))
        find_mounts(g, b.data);
    for (int v = 0; v < 2; v++) {
        if (g[v].path != NULL && g[v].mount != NULL)
            measure_groups(r, root, &g[v], &b);
        free(g[v].path);
        free(g[v].root);
        free(g[v].mount);
    }
    buf_release(&b);
}
