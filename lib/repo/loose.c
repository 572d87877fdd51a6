/* loose.c - loose objects: zlib over a header, "TYPE SIZE" and NUL, and the
 * body; each in a file named by its id, DIR/XX/38 more digits. */
#include "repo/loose.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

#define HEADER_MAX 32
#define INPUT (1 << 16)

struct inflater {
    z_stream z;
    int fd;
    bool end; /* the zlib stream has ended */
    char name[OID_HEX + 1];
    unsigned char in[INPUT];
};

static int
damaged(const struct inflater *f, const char *what, struct err *e)
{
    return err_set(e, ERR_DATA, "loose object %s: %s", f->name, what);
}

/* Inflates up to n bytes to p; *got < n only at the end of the stream. */
static int
inflate_some(struct inflater *f, void *p, size_t n, size_t *got,
             struct err *e)
{
    ssize_t len;
    int rc;

    f->z.next_out = p;
    f->z.avail_out = (uInt)n;
    while (f->z.avail_out > 0 && !f->end) {
        if (f->z.avail_in == 0) {
            do
                len = read(f->fd, f->in, INPUT);
            while (len < 0 && errno == EINTR);
            if (len < 0)
                return err_errno(e, ERR_IO, "loose object %s", f->name);
            if (len == 0)
                return damaged(f, "file is cut short", e);
            f->z.next_in = f->in;
            f->z.avail_in = (uInt)len;
        }
        rc = inflate(&f->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END)
            f->end = true;
        else if (rc != Z_OK && (rc != Z_BUF_ERROR || f->z.avail_in > 0))
            return damaged(f, "bad zlib data", e);
    }
    *got = n - f->z.avail_out;
    return 0;
}

/* Splits "TYPE SIZE\0" at the front of header[n]; *used tells its length. */
static bool
parse_header(const char *header, size_t n, int *type, uint64_t *size,
           size_t *used)
{
    const char *end = memchr(header, '\0', n);
    const char *space = memchr(header, ' ', n);
    const char *p;
    uint64_t v = 0;

    if (!end || !space || space > end || space + 1 == end)
        return false;
    for (*type = OBJECT_COMMIT; *type <= OBJECT_TAG; ++*type) {
        p = object_type_name(*type);
        if (strlen(p) == (size_t)(space - header)
            && memcmp(p, header, strlen(p)) == 0)
            break;
    }
    if (*type > OBJECT_TAG)
        return false;
    for (p = space + 1; p < end; p++) {
        if (*p < '0' || *p > '9' || v > UINT64_MAX / 10 - 1)
            return false;
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *size = v;
    *used = (size_t)(end + 1 - header);
    return true;
}

static int
read_body(struct inflater *f, char *body, size_t have, uint64_t size,
          struct err *e)
{
    size_t got;
    char extra;
    int rc;

    rc = inflate_some(f, body + have, (size_t)size - have, &got, e);
    if (rc < 0)
        return rc;
    if (have + got < size)
        return damaged(f, "body is shorter than its header says", e);
    rc = inflate_some(f, &extra, 1, &got, e);
    if (rc < 0)
        return rc;
    if (got != 0)
        return damaged(f, "body is longer than its header says", e);
    return 0;
}

static int
read_object(struct inflater *f, uint64_t max, int *type, uint64_t *size,
            char **data, struct err *e)
{
    char header[HEADER_MAX];
    char *body;
    size_t got, used, have;
    uint64_t n;
    int rc, kind;

    rc = inflate_some(f, header, sizeof(header), &got, e);
    if (rc < 0)
        return rc;
    if (!parse_header(header, got, &kind, &n, &used))
        return damaged(f, "bad header", e);
    have = got - used;
    if (have > n)
        return damaged(f, "body is longer than its header says", e);
    body = NULL;
    if (n <= max) {
        body = mem_try((size_t)n + 1);
        if (!body)
            return err_set(e, ERR_LIMIT, "loose object %s: no memory",
                           f->name);
        memcpy(body, header + used, have);
        body[n] = '\0';
        rc = read_body(f, body, have, n, e);
        if (rc < 0) {
            free(body);
            return rc;
        }
    }
    *type = kind;
    *size = n;
    *data = body;
    return 0;
}

int
loose_read(const char *dir, const struct oid *id, uint64_t max,
           bool *found, int *type, uint64_t *size, char **data,
           struct err *e)
{
    struct inflater f;
    struct stat st;
    char path[4096];
    int rc;

    memset(&f.z, 0, sizeof(f.z));
    f.end = false;
    oid_hex(id, f.name);
    if ((size_t)snprintf(path, sizeof(path), "%s/%.2s/%s", dir, f.name,
                         f.name + 2) >= sizeof(path))
        return err_set(e, ERR_LIMIT, "%s: path too long", dir);
    f.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (f.fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *found = false;
        return 0;
    }
    if (f.fd < 0)
        return err_errno(e, errno == ELOOP ? ERR_DATA : ERR_IO, "%s", path);
    if (fstat(f.fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = damaged(&f, "not a regular file", e);
    } else if (inflateInit(&f.z) != Z_OK) {
        rc = err_set(e, ERR_IO, "zlib: out of memory");
    } else {
        rc = read_object(&f, max, type, size, data, e);
        inflateEnd(&f.z);
    }
    close(f.fd);
    if (rc == 0)
        *found = true;
    return rc;
}

void
loose_prefix(const char *dir, const char *hex, size_t n,
             void (*fn)(void *ctx, const struct oid *id), void *ctx)
{
    char path[4096], name[OID_HEX + 1];
    struct dirent *entry;
    struct oid id;
    DIR *d;

    if ((size_t)snprintf(path, sizeof(path), "%s/%.2s", dir, hex) >=
        sizeof(path))
        return;
    d = opendir(path);
    while (d && (entry = readdir(d)) != NULL) {
        if (strlen(entry->d_name) != OID_HEX - 2
            || strncasecmp(entry->d_name, hex + 2, n - 2) != 0)
            continue;
        snprintf(name, sizeof(name), "%.2s%.38s", hex, entry->d_name);
        if (oid_parse(&id, name, OID_HEX))
            fn(ctx, &id);
    }
    if (d)
        closedir(d);
}
