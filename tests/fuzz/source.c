/* source.c - any bytes as a path, and behind a newline the text of that file:
 * what they tell of it is told again by a copy, a licence that is found is
 * allowed by nothing less than itself, and as .gitattributes the text says of
 * the path what attributes can be. */
#include <string.h>

#include "fuzz.h"
#include "repo/attributes.h"
#include "text/author_kind.h"
#include "text/encoded.h"
#include "text/license.h"
#include "text/source_kind.h"

static void
tell_path(const char *path, size_t n)
{
    const char *(*const kinds[])(const char *, size_t) = {
        source_vendored, source_lock, source_minified, source_generated_name,
        source_documentation
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *why = kinds[i](path, n);

        MUST(!why || (n > 0 && *why));
    }
    (void)source_minified_lines(path, n, n, 1);
    (void)license_is_file(path, n);
    (void)author_is_bot(path, n);
}

static void
tell_encoded(const char *text, size_t n)
{
    size_t shown, encoded = encoded_bytes(text, n, &shown);

    MUST(encoded <= shown && shown <= n);
}

static void
tell_license(const char *text, size_t n)
{
    static const char *const none[] = { "none" };
    struct buf a, b;

    buf_init(&a);
    buf_init(&b);
    if (license_of_source(text, n, &a)) {
        MUST(a.len > 0 && !memchr(a.data, '\n', a.len));
        if (!strstr(a.data, "none"))
            MUST(!license_allows(a.data, a.len, none, 1));
        MUST(license_of_source(text, license_head(text, n), &b));
        MUST(strcmp(a.data, b.data) == 0);
    } else {
        MUST(a.len == 0);
    }
    (void)license_allows(text, n, none, 1);
    buf_release(&a);
    buf_release(&b);
}

static void
tell_attributes(const char *path, size_t n_path, const char *text, size_t n)
{
    struct attributes a;
    struct buf b;
    struct err e;

    attributes_init(&a);
    buf_init(&b);
    if (attributes_add(&a, "", 0, text, n, &e) == 0) {
        attributes_of(&a, path, n_path, &b);
        MUST(b.len == 0 || strstr(b.data, "linguist-"));
    } else {
        MUST(e.code == ERR_LIMIT);
    }
    buf_release(&b);
    attributes_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = (const char *)data, *mark;
    const char *eol = size ? memchr(path, '\n', size) : NULL;
    size_t n_path = eol ? (size_t)(eol - path) : size;
    const char *text = eol ? eol + 1 : path + size;
    size_t n = size - n_path - (eol != NULL);

    tell_path(path, n_path);
    mark = source_generated_mark(path, n_path, text, n);
    MUST(!mark || n > 0);
    tell_encoded(text, n);
    tell_license(text, n);
    tell_attributes(path, n_path, text, n);
    return 0;
}
