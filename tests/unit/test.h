/* test.h - what a unit test needs, and no more.
 *
 *     #include "test.h"
 *
 *     TEST(adds)
 *     {
 *         CHECK_EQ_U64(1 + 1, 2);
 *     }
 *
 *     static const struct test tests[] = {RUN(adds)};
 *
 *     TEST_MAIN("example", tests)
 *
 * A failed check prints one line and the test goes on; a test with a failed
 * check has failed; one that said SKIP(why), before any check, was skipped.
 * The program ends with "NAME: N passed, N failed" (and ", N skipped") and
 * status 1 if any failed.
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name;
    void (*fn)(void);
};

#define TEST(name) static void name(void)
#define RUN(name) {#name, name}

static int test_failed_checks;
static const char *test_skip; /* why the running test was skipped */

static inline int
test_check(bool ok, const char *file, int line, const char *text)
{
    if (!ok) {
        printf("%s:%d: failed: %s\n", file, line, text);
        test_failed_checks++;
    }
    return ok;
}

static inline int
test_u64(uint64_t got, uint64_t want, const char *file, int line,
         const char *text)
{
    if (got == want)
        return true;
    printf("%s:%d: failed: %s is %" PRIu64 ", expected %" PRIu64 "\n", file,
           line, text, got, want);
    test_failed_checks++;
    return false;
}

static inline int
test_str(const char *got, const char *want, const char *file, int line,
         const char *text)
{
    if (got && want && strcmp(got, want) == 0)
        return true;
    printf("%s:%d: failed: %s is \"%s\", expected \"%s\"\n", file, line,
           text, got ? got : "(null)", want ? want : "(null)");
    test_failed_checks++;
    return false;
}

/* For what this machine lacks: ends the test. */
#define SKIP(why) \
    do { \
        test_skip = (why); \
        return; \
    } while (0)

/* Each is 1 when the check held, else 0. */
#define CHECK(cond) test_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ_U64(got, want) \
    test_u64((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) \
    test_str((got), (want), __FILE__, __LINE__, #got)

static inline int
test_run(const char *name, const struct test *tests, size_t n)
{
    size_t i, failed = 0, skipped = 0;

    for (i = 0; i < n; i++) {
        test_failed_checks = 0;
        test_skip = NULL;
        tests[i].fn();
        if (test_failed_checks > 0) {
            printf("%s: %s failed\n", name, tests[i].name);
            failed++;
        } else if (test_skip != NULL) {
            printf("%s: %s skipped: %s\n", name, tests[i].name, test_skip);
            skipped++;
        }
    }
    printf("%s: %zu passed, %zu failed", name, n - failed - skipped, failed);
    if (skipped > 0)
        printf(", %zu skipped", skipped);
    putchar('\n');
    return failed > 0;
}

#define TEST_MAIN(name, tests) \
    int \
    main(void) \
    { \
        return test_run(name, tests, sizeof(tests) / sizeof((tests)[0])); \
    }

#endif
