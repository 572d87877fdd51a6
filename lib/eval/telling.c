/* telling.c - two queues of held bytes, one behind the other: for stop
 * strings, and for characters. */
#include "eval/telling.h"

#include <string.h>

#include "base/utf8.h"

void
telling_begin(struct telling *t, const char *const *stop, size_t n_stop,
              enum tell_as as)
{
    memset(t, 0, sizeof(*t));
    t->stop = stop;
    t->n_stop = n_stop;
    t->as = (uint8_t)as;
    buf_init(&t->held);
    buf_init(&t->bytes);
}

void
telling_release(struct telling *t)
{
    buf_release(&t->held);
    buf_release(&t->bytes);
}

/* ---- characters ---- */

/* How many bytes of p[n], which begins with no valid character, could begin
 * one; 0 for none. */
static size_t
beginning(const uint8_t *p, size_t n)
{
    size_t want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4, k = 1;
    uint8_t whole[4];

    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (; k < n && k < want; k++) {
        memset(whole, 0x80, sizeof(whole));
        memcpy(whole, p, k + 1);
        if (utf8_length(whole, want) != want)
            break;
    }
    return k;
}

/* Tells what is whole of t->bytes; with last all of it. */
static void
tell_bytes(struct telling *t, bool last, struct buf *out)
{
    const uint8_t *p = (const uint8_t *)t->bytes.data;
    size_t n = t->bytes.len, at = 0;

    while (at < n) {
        size_t len = utf8_length(p + at, n - at), begun;

        if (len > 0) {
            buf_add(out, p + at, len);
            at += len;
            continue;
        }
        begun = beginning(p + at, n - at);
        if (!last && begun == n - at)
            break;
        buf_addstr(out, "\357\277\275");
        at += begun > 0 ? begun : 1;
    }
    memmove(t->bytes.data, t->bytes.data + at, n - at + 1);
    t->bytes.len -= at;
}

static void
tell(struct telling *t, const char *p, size_t n, bool last, struct buf *out)
{
    if (t->as == TELL_BYTES) {
        buf_add(out, p, n);
        return;
    }
    buf_add(&t->bytes, p, n);
    tell_bytes(t, last, out);
}

/* ---- stop strings ---- */

/* Where the first stop string begins in what is held; its length if there is
 * none. */
static size_t
find_stop(const struct telling *t)
{
    size_t first = t->held.len;

    for (size_t i = 0; i < t->n_stop; i++) {
        const char *at = memmem(t->held.data, t->held.len, t->stop[i],
                                strlen(t->stop[i]));

        if (at != NULL && (size_t)(at - t->held.data) < first)
            first = (size_t)(at - t->held.data);
    }
    return first;
}

/* How many of the last bytes held may begin a stop string. */
static size_t
may_stop(const struct telling *t)
{
    const char *end = t->held.data + t->held.len;
    size_t most = 0;

    for (size_t i = 0; i < t->n_stop; i++) {
        size_t k = strlen(t->stop[i]) - 1;

        if (k > t->held.len)
            k = t->held.len;
        while (k > most && memcmp(end - k, t->stop[i], k) != 0)
            k--;
        most = k > most ? k : most;
    }
    return most;
}

bool
telling_add(struct telling *t, const char *p, size_t n, struct buf *out)
{
    size_t stop, sure;

    buf_add(&t->held, p, n);
    stop = find_stop(t);
    if (stop < t->held.len) {
        tell(t, t->held.data, stop, true, out);
        buf_reset(&t->held);
        return true;
    }
    sure = t->held.len - may_stop(t);
    tell(t, t->held.data, sure, false, out);
    memmove(t->held.data, t->held.data + sure, t->held.len - sure + 1);
    t->held.len -= sure;
    return false;
}

void
telling_end(struct telling *t, struct buf *out)
{
    tell(t, t->held.data, t->held.len, true, out);
    buf_reset(&t->held);
}

void
telling_put_safe(struct buf *out, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;

    for (size_t i = 0; i < n; i++) {
        bool wide = p[i] == 0xc2 && i + 1 < n && p[i + 1] < 0xa0;

        if (wide)
            buf_addf(out, "\\x%02x", p[i++]);
        if (wide || p[i] == 0x7f
            || (p[i] < 0x20 && p[i] != '\n' && p[i] != '\t'))
            buf_addf(out, "\\x%02x", p[i]);
        else
            buf_addc(out, p[i]);
    }
}
