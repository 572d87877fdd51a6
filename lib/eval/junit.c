/* junit.c - XML: what stands for markup is escaped, and what XML has no place
 * for, a control character or a byte that is no UTF-8, becomes U+FFFD. */
#include "eval/junit.h"

#include <string.h>

#include "base/io.h"
#include "base/utf8.h"

#define REPLACEMENT "\357\277\275"

void
junit_init(struct junit *j, const char *file)
{
    memset(j, 0, sizeof(*j));
    j->file = strcmp(file, "-") == 0 ? "stdin" : file;
    buf_init(&j->done);
    buf_init(&j->cases);
}

void
junit_release(struct junit *j)
{
    buf_release(&j->done);
    buf_release(&j->cases);
}

static void
put_char(struct buf *b, char c)
{
    switch (c) {
    case '<':
        buf_addstr(b, "&lt;");
        break;
    case '>':
        buf_addstr(b, "&gt;");
        break;
    case '&':
        buf_addstr(b, "&amp;");
        break;
    case '"':
        buf_addstr(b, "&quot;");
        break;
    case '\n':
        buf_addstr(b, "&#10;");
        break;
    case '\t':
        buf_addstr(b, "&#9;");
        break;
    default:
        if ((unsigned char)c < 32)
            buf_addstr(b, REPLACEMENT);
        else
            buf_addc(b, c);
    }
}

static void
put_text(struct buf *b, const char *p, size_t n)
{
    size_t at = 0;

    while (at < n) {
        size_t good = utf8_valid(p + at, n - at);

        for (size_t i = at; i < at + good; i++) {
            if (n - i >= 3 && memcmp(p + i, "\357\277", 2) == 0
                && (unsigned char)p[i + 2] >= 0xbe) { /* U+FFFE, U+FFFF */
                buf_addstr(b, REPLACEMENT);
                i += 2;
            } else {
                put_char(b, p[i]);
            }
        }
        at += good;
        if (at < n) {
            buf_addstr(b, REPLACEMENT);
            at++;
        }
    }
}

/* What didn't hold: "contains, test: exit 1". */
static void
put_failed(struct buf *b, const struct prompt *p, const struct completion *c)
{
    const char *comma = "";

    for (int k = 0; k < CHECK_KINDS; k++) {
        if (p->checks.n[k] == 0 || c->result.held[k])
            continue;
        if (check_runs(k) && c->why.len > 0) {
            buf_addstr(b, comma);
            put_text(b, c->why.data, c->why.len);
            break; /* it is told of the first of them */
        }
        buf_addf(b, "%s%s", comma, check_name(k));
        comma = ", ";
    }
}

void
junit_add(struct junit *j, const struct prompt *p,
          const struct completion *c, uint32_t sample, uint32_t samples)
{
    struct buf *b = &j->cases;

    j->n++;
    buf_addstr(b, "    <testcase classname=\"");
    put_text(b, j->file, strlen(j->file));
    buf_addstr(b, "\" name=\"");
    put_text(b, p->id, strlen(p->id));
    if (samples > 1)
        buf_addf(b, " [%u]", sample);
    if (!prompt_checks(p)) {
        j->skipped++;
        buf_addstr(b, "\"><skipped/></testcase>\n");
    } else if (c->result.passed) {
        buf_addstr(b, "\"/>\n");
    } else {
        j->failed++;
        buf_addstr(b, "\"><failure message=\"");
        put_failed(b, p, c);
        buf_addstr(b, "\">");
        put_text(b, c->text.data, c->text.len);
        buf_addstr(b, "</failure></testcase>\n");
    }
}

void
junit_end(struct junit *j, const char *name)
{
    buf_addf(&j->done, "  <testsuite name=\"%s\" tests=\"%llu\" "
             "failures=\"%llu\" errors=\"0\" skipped=\"%llu\">\n", name,
             (unsigned long long)j->n, (unsigned long long)j->failed,
             (unsigned long long)j->skipped);
    buf_add(&j->done, j->cases.data, j->cases.len);
    buf_addstr(&j->done, "  </testsuite>\n");
    buf_reset(&j->cases);
    j->n = j->failed = j->skipped = 0;
}

int
junit_write(const struct junit *j, const char *path, struct err *e)
{
    struct buf b;
    int rc;

    buf_init(&b);
    buf_addstr(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<testsuites name=\"evalprompts\">\n");
    buf_add(&b, j->done.data, j->done.len);
    buf_addstr(&b, "</testsuites>\n");
    rc = file_write(path, b.data, b.len, e);
    buf_release(&b);
    return rc;
}
