/* rules.c - any bytes as the rest of a file of scrub's rules, without those
 * that are built in: what is read looks for its secrets in a few texts, and
 * what it finds lies in them, in order, each by one of the rules. */
#include <string.h>

#include "scratch.h"
#include "text/scrub_find.h"

#define BEGIN "{\"built_in\":false,"

static const char *const texts[] = {
    "", "key = acme_0a1b2c3d; a0 AKIAIOSFODNN7EXAMPLE\nb <KEY_1>\n\nzz",
    ("-----BEGIN A PRIVATE KEY-----\n"
     "MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n"
     "-----END A PRIVATE KEY-----\n"
     "+44 20 7946 0958 ada@acme.org 81.2.69.142:8"),
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\xff\xc3(\0 0000 \r\n",
};

static void
look(const struct scrub_rules *r, const char *p)
{
    struct scrub_finder f;
    struct err e;
    size_t n = strlen(p), end = 0;
    int rc;

    scrub_finder_init(&f, r);
    rc = scrub_find(&f, p, n, NULL, &e);
    if (rc == 0)
        rc = scrub_find_view(&f, p, n, NULL, 0, true, &e);
    MUST(rc == 0 || rc == ERR_LIMIT);
    if (rc == 0)
        scrub_settle(&f);
    for (size_t i = 0; rc == 0 && i < f.n; i++) {
        MUST(f.span[i].at >= end && f.span[i].at < f.span[i].end);
        end = f.span[i].end;
        MUST(end <= n && f.span[i].rule < r->n);
    }
    scrub_finder_release(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *path;
    struct scrub_rules r;
    struct buf b;
    struct err e;
    int rc;

    if (!path)
        path = scratch_path("rules");
    buf_init(&b);
    buf_addstr(&b, BEGIN);
    buf_add(&b, data, size);
    scratch_put(path, b.data, b.len);
    buf_release(&b);
    rc = scrub_rules_open(&r, path, true, &e);
    if (rc < 0) {
        MUST(e.text[0] && !strchr(e.text, '\n'));
        return 0;
    }
    rc = scrub_rules_build(&r, &e);
    for (size_t i = 0; rc == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
        look(&r, texts[i]);
    scrub_rules_release(&r);
    return 0;
}
