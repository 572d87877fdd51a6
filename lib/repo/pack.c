/* pack.c - pack indices of version 1 and 2, and reading at an offset.
 *
 * Version 2: magic and version (8 bytes), 256 counts of ids by first byte
 * (each with all before), the ids, their CRCs, their offsets (4 bytes; with
 * the high bit set an index into 8-byte offsets that follow), the checksums
 * of pack and index. Version 1: the counts, then offset and id of each.
 * Numbers are big-endian.
 */
#include "repo/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static uint32_t
big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
           (uint32_t)p[2] << 8 | p[3];
}

const uint8_t *
pack_entry_name(const struct pack *p, uint32_t i)
{
    return p->version == 2 ? p->idx + 1032 + (size_t)i * OID_BYTES
                           : p->idx + 1024 + (size_t)i * 24 + 4;
}

static const uint8_t *
fanout(const struct pack *p)
{
    return p->idx + (p->version == 2 ? 8 : 0);
}

/* The offset of entry i; false if it is not within the pack. */
bool
pack_entry_offset(const struct pack *p, uint32_t i, uint64_t *out)
{
    const uint8_t *at;
    uint64_t v, n_large;

    if (p->version == 1) {
        v = big32(p->idx + 1024 + (size_t)i * 24);
    } else {
        at = p->idx + 1032 + (size_t)p->n * 24;
        v = big32(at + (size_t)i * 4);
        if (v & 0x80000000u) {
            v &= 0x7fffffffu;
            n_large = (p->idx_len - 1072 - (size_t)p->n * 28) / 8;
            if (v >= n_large)
                return false;
            at += (size_t)p->n * 4 + v * 8;
            v = (uint64_t)big32(at) << 32 | big32(at + 4);
        }
    }
    *out = v;
    return v >= 12 && (p->fd < 0 || v < p->end);
}

/* Checks sizes and the fan-out table, so that look-ups stay inside. */
static bool
check_index(struct pack *p)
{
    const size_t least = p->version == 2 ? 1072 : 1064;
    const size_t each = p->version == 2 ? 28 : 24;
    uint32_t before = 0, count;
    int i;

    if (p->version == 2 && big32(p->idx + 4) != 2)
        return false;
    for (i = 0; i < 256; i++) {
        count = big32(fanout(p) + 4 * i);
        if (count < before)
            return false;
        before = count;
    }
    p->n = before;
    if ((p->idx_len - least) / each < p->n)
        return false;
    return p->version == 1 ? p->idx_len == least + (size_t)p->n * each
                           : (p->idx_len - least) % 4 == 0;
}

static int
open_plain(const char *name, const char *extension, uint64_t *size,
           struct err *e)
{
    char *path = mem_alloc(strlen(name) + strlen(extension) + 1);
    struct stat st;
    int fd;

    memcpy(path, name, strlen(name));
    memcpy(path + strlen(name), extension, strlen(extension));
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        err_errno(e, ERR_IO, "%s", path);
    } else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err_set(e, ERR_DATA, "%s: not a regular file", path);
        close(fd);
        errno = EINVAL;
        fd = -1;
    } else {
        *size = (uint64_t)st.st_size;
    }
    free(path);
    return fd;
}

int
pack_open_index(struct pack *p, struct err *e)
{
    uint64_t size;
    void *map;
    int fd = open_plain(p->name, ".idx", &size, e);

    if (fd < 0)
        return e->code;
    if (size < 1064) {
        close(fd);
        return err_set(e, ERR_DATA, "%s.idx: too short", p->name);
    }
    map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return err_errno(e, ERR_IO, "%s.idx", p->name);
    p->idx = map;
    p->idx_len = size;
    p->version = memcmp(p->idx, "\377tOc", 4) == 0 ? 2 : 1;
    if ((p->version == 2 && size < 1072) || !check_index(p))
        return err_set(e, ERR_DATA, "%s.idx: not a pack index of version "
                       "1 or 2", p->name);
    return 0;
}

/* Opens the pack and compares its checksum with the index. A pack that was
 * deleted is marked gone. */
int
pack_open(struct pack *p, struct err *e)
{
    uint8_t head[8], sum[OID_BYTES];
    uint64_t size;

    p->fd = open_plain(p->name, ".pack", &size, e);
    if (p->fd < 0) {
        p->gone = errno == ENOENT;
        return e->code;
    }
    if (size < 32 || pread(p->fd, head, 8, 0) != 8
        || memcmp(head, "PACK", 4) != 0
        || (big32(head + 4) != 2 && big32(head + 4) != 3)
        || pread(p->fd, sum, OID_BYTES, (off_t)size - OID_BYTES) !=
            OID_BYTES
        || memcmp(sum, p->idx + p->idx_len - 40, OID_BYTES) != 0) {
        close(p->fd);
        p->fd = -1;
        return err_set(e, ERR_DATA, "%s.pack: not the pack of its index",
                       p->name);
    }
    p->end = size - OID_BYTES;
    return 0;
}

void
pack_range(const struct pack *p, uint8_t first, uint32_t *low,
           uint32_t *high)
{
    *low = first ? big32(fanout(p) + 4 * (first - 1)) : 0;
    *high = big32(fanout(p) + 4 * first);
}

/* The entry of id, by bisection between the two fan-out counts. */
bool
pack_find(const struct pack *p, const struct oid *id, uint32_t *out)
{
    uint32_t low, high, middle;
    int order;

    pack_range(p, id->b[0], &low, &high);
    while (low < high) {
        middle = low + (high - low) / 2;
        order = memcmp(id->b, pack_entry_name(p, middle), OID_BYTES);
        if (order == 0) {
            *out = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

int
pack_damaged(const struct pack *p, uint64_t offset, const char *what,
        struct err *e)
{
    return err_set(e, ERR_DATA, "%s.pack: byte %llu: %s", p->name,
                   (unsigned long long)offset, what);
}

int
pack_read_at(const struct pack *p, uint64_t offset, void *to, size_t n,
        size_t *got, struct err *e)
{
    ssize_t len;

    if (offset >= p->end)
        return pack_damaged(p, offset, "beyond the end", e);
    if (n > p->end - offset)
        n = (size_t)(p->end - offset);
    do
        len = pread(p->fd, to, n, (off_t)offset);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return err_errno(e, ERR_IO, "%s.pack", p->name);
    if (len == 0)
        return pack_damaged(p, offset, "file is cut short", e);
    *got = (size_t)len;
    return 0;
}

void
pack_close(struct pack *p)
{
    if (p->idx)
        munmap((void *)(uintptr_t)p->idx, p->idx_len);
    if (p->fd >= 0)
        close(p->fd);
    free(p->name);
}
