/* reencode.c - the C library's iconv, for encodings that people write in.
 *
 * An encoding's name comes from the repository, and converters that nobody
 * uses have been the C library's holes; so only those of a list are run.
 */
#include "repo/reencode.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

struct encoding {
    const char *name; /* as commits have it; '#' is a digit or two */
    const char *known; /* to iconv; NULL: by that name */
};

static const struct encoding encodings[] = {
    {"iso-8859-#", NULL}, {"iso8859-#", NULL}, {"iso_8859-#", NULL},
    {"latin1", NULL}, {"latin-1", "ISO-8859-1"}, {"windows-125#", NULL},
    {"cp125#", NULL}, {"koi8-r", NULL}, {"koi8-u", NULL}, {"euc-jp", NULL},
    {"eucjp", NULL}, {"shift_jis", NULL}, {"shift-jis", NULL},
    {"sjis", NULL}, {"cp932", NULL}, {"iso-2022-jp", NULL},
    {"gb2312", NULL}, {"gbk", NULL}, {"cp936", NULL}, {"gb18030", NULL},
    {"big5", NULL}, {"euc-kr", NULL}, {"euckr", NULL}, {"cp949", NULL}
};

static bool
digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
matches(const char *pattern, struct span name)
{
    size_t n = strlen(pattern);

    if (pattern[n - 1] != '#')
        return name.n == n && strncasecmp(name.p, pattern, n) == 0;
    n--;
    return name.n > n && name.n <= n + 2
           && strncasecmp(name.p, pattern, n) == 0 && digit(name.p[n])
           && digit(name.p[name.n - 1]);
}

static iconv_t
open_converter(struct span encoding)
{
    char name[16];
    size_t i;

    if (encoding.n >= sizeof(name))
        return (iconv_t)-1;
    memcpy(name, encoding.p, encoding.n);
    name[encoding.n] = '\0';
    for (i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
        if (matches(encodings[i].name, encoding))
            return iconv_open("UTF-8", encodings[i].known
                              ? encodings[i].known : name);
    }
    return (iconv_t)-1;
}

bool
reencode(struct buf *out, struct span encoding, struct span message)
{
    char *in = (char *)(uintptr_t)message.p, *to;
    size_t left = message.n, room, failed;
    iconv_t converter;

    if (encoding.n == 0)
        return false;
    converter = open_converter(encoding);
    if (converter == (iconv_t)-1)
        return false;
    buf_reset(out);
    do {
        room = left + 64;
        to = buf_room(out, room);
        failed = iconv(converter, &in, &left, &to, &room);
        out->len = (size_t)(to - out->data);
    } while (failed == (size_t)-1 && errno == E2BIG);
    iconv_close(converter);
    return failed != (size_t)-1;
}
