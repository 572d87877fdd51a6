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
 * check has failed, and so has one that checked nothing. One that said
 * SKIP(why), before any check, was skipped. SKIP_PART(part, why) counts what
 * tests go without here, an instruction set say, once a program; the test
 * goes on. The program ends with "NAME: N passed, N failed" (and
 * ", N skipped") and status 1 if any failed.
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

static int test_checks, test_failed_checks; /* of the running test */
static const char *test_skip; /* why the running test was skipped */

/* What SKIP_PART named: part and reason. */
enum { TEST_PARTS = 8 };
static char test_part[TEST_PARTS][2][160];
static size_t test_parts;

/* Counts a check. */
static inline bool
test_note(bool ok)
{
    test_checks++;
    test_failed_checks += !ok;
    return ok;
}

static inline int
test_check(bool ok, const char *file, int line, const char *text)
{
    if (!test_note(ok))
        printf("%s:%d: failed: %s\n", file, line, text);
    return ok;
}

static inline int
test_u64(uint64_t got, uint64_t want, const char *file, int line,
         const char *text)
{
    if (test_note(got == want))
        return true;
    printf("%s:%d: failed: %s is %" PRIu64 ", expected %" PRIu64 "\n", file,
           line, text, got, want);
    return false;
}

static inline int
test_str(const char *got, const char *want, const char *file, int line,
         const char *text)
{
    if (test_note(got && want && strcmp(got, want) == 0))
        return true;
    printf("%s:%d: failed: %s is \"%s\", expected \"%s\"\n", file, line,
           text, got ? got : "(null)", want ? want : "(null)");
    return false;
}

static inline void
test_skip_part(const char *part, const char *why)
{
    for (size_t i = 0; i < test_parts; i++)
        if (strcmp(test_part[i][0], part) == 0)
            return;
    if (!test_check(test_parts < TEST_PARTS, __FILE__, __LINE__, part))
        return;
    snprintf(test_part[test_parts][0], sizeof(test_part[0][0]), "%s", part);
    snprintf(test_part[test_parts++][1], sizeof(test_part[0][0]), "%s", why);
}

/* For what this machine lacks: ends the test. */
#define SKIP(why) \
    do { \
        test_skip = (why); \
        return; \
    } while (0)

#define SKIP_PART(part, why) test_skip_part((part), (why))

/* Each is 1 when the check held, else 0. */
#define CHECK(cond) test_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ_U64(got, want) \
    test_u64((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) \
    test_str((got), (want), __FILE__, __LINE__, #got)

/* Runs one test; 1 if it failed, -1 if it was skipped. */
static inline int
test_one(const char *name, const struct test *t)
{
    test_checks = test_failed_checks = 0;
    test_skip = NULL;
    t->fn();
    if (test_checks == 0 && test_skip != NULL) {
        printf("%s: %s skipped: %s\n", name, t->name, test_skip);
        return -1;
    }
    if (test_checks > 0 && test_skip == NULL && test_failed_checks == 0)
        return 0;
    printf("%s: %s failed%s\n", name, t->name,
           test_checks == 0 ? ": it checked nothing"
           : test_skip != NULL ? ": it skipped after a check" : "");
    return 1;
}

static inline int
test_run(const char *name, const struct test *tests, size_t n)
{
    size_t i, failed = 0, skipped = 0;

    for (i = 0; i < n; i++) {
        int rc = test_one(name, &tests[i]);

        failed += rc > 0;
        skipped += rc < 0;
    }
    for (i = 0; i < test_parts; i++)
        printf("%s: %s skipped: %s\n", name, test_part[i][0],
               test_part[i][1]);
    printf("%s: %zu passed, %zu failed", name, n - failed - skipped, failed);
    if (skipped + test_parts > 0)
        printf(", %zu skipped", skipped + test_parts);
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
