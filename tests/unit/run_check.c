/* run_check.c - completions that are programs, as a model might write them and
 * as nobody should: which of them pass, and what is said of the others. */
#include "eval/run_check.h"

#include "test.h"

static struct sandbox_limits limits = {
    .seconds = 1, .memory = (uint64_t)1 << 30, .disk = 4u << 20
};

/* Whether the completion passes the checks, which are JSON; *why as told. */
static bool
passes(const char *prompt, const char *checks, const char *completion,
       enum program program, struct buf *why)
{
    struct prompt p = { .id = (char *)"x", .text = (char *)prompt,
                        .len = strlen(prompt), .program = program };
    struct prompts all = { .item = &p, .n = 1 };
    struct completion c = { .finish = FINISH_END };
    struct err e = { .text = "" };
    cJSON *o = cJSON_Parse(checks);
    bool passed;

    CHECK(check_read(&p.checks, o, "test", &e) == 0);
    cJSON_Delete(o);
    buf_init(&c.text);
    buf_init(&c.why);
    buf_addstr(&c.text, completion);
    c.result = check_run(&p.checks, c.text.data, c.text.len);
    CHECK(c.result.passed);
    if (!CHECK(run_checks_ready(&all, &limits, &e) == 0
               && run_checks(&p, &c, &limits, &e) == 0))
        printf("  %s\n", e.text);
    buf_reset(why);
    buf_add(why, c.why.data, c.why.len);
    passed = c.result.passed;
    CHECK(passed == (why->len == 0));
    check_release(&p.checks);
    completion_release(&c);
    return passed;
}

static void
check_passes(const char *prompt, const char *checks, const char *completion,
             enum program program)
{
    struct buf why;

    buf_init(&why);
    if (!CHECK(passes(prompt, checks, completion, program, &why)))
        printf("  %s: %s\n", completion, why.data);
    buf_release(&why);
}

static void
check_fails(const char *prompt, const char *checks, const char *completion,
            const char *want)
{
    struct buf why;

    buf_init(&why);
    CHECK(!passes(prompt, checks, completion, PROGRAM_JOINED, &why));
    CHECK_STR(why.data, want);
    buf_release(&why);
}

/* A reason to skip, or NULL: what programs in that language need. */
static const char *
lacks(enum check_language language)
{
    static struct err e;
    struct check_item item = { .language = language };
    struct prompt p = { .checks = { .item = { [CHECK_COMPILES] = &item },
                                    .n = { [CHECK_COMPILES] = 1 } } };
    struct prompts all = { .item = &p, .n = 1 };

    return run_checks_ready(&all, &limits, &e) < 0 ? e.text : NULL;
}

#define NEED(language) \
    do { \
        const char *why_not = lacks(language); \
        if (why_not != NULL) \
            SKIP(why_not); \
    } while (0)

#define PY "{\"compiles\": \"python\"}"
#define C "{\"compiles\": \"c\"}"
#define PY_TEST "{\"test\": {\"language\": \"python\", \"code\": " \
                "\"assert f(2) == 4\"}}"
#define C_TEST "{\"test\": {\"language\": \"c\", \"code\": " \
               "\"int main(void) { return f(2) != 4; }\"}}"

TEST(python_that_compiles)
{
    NEED(CHECK_PYTHON);
    check_passes("def f(x):\n", PY, "    return x * 2\n", PROGRAM_JOINED);
    check_fails("def f(x):\n", PY, "return x * 2\n", "compiles: exit 1: "
                "Sorry: IndentationError: expected an indented block after "
                "function definition on line 1 (program.py, line 2)");
    check_passes("prose", PY, "x = 1", PROGRAM_COMPLETION);
    check_passes("prose", PY, "Sure:\n```python\nx = 1\n```\nDone.",
                 PROGRAM_FENCED);
    check_passes("prose", PY, "x = 1", PROGRAM_FENCED);
}

TEST(c_that_compiles)
{
    NEED(CHECK_C);
    check_passes("int\nf(int x)\n{\n", C, "    return 2 * x;\n}\n",
                 PROGRAM_JOINED);
    check_fails("int\nf(int x)\n{\n", C, "    return 2 * x\n}\n",
                "compiles: exit 1: program.c:4:17: error: expected "
                "\342\200\230;\342\200\231 before "
                "\342\200\230}\342\200\231 token");
    check_passes("", C, "```c\n#include <stdio.h>\n```\n", PROGRAM_FENCED);
}

TEST(a_test_has_passed_when_it_came_to_its_end)
{
    NEED(CHECK_PYTHON);
    check_passes("def f(x):\n", PY_TEST, "    return 2 * x", PROGRAM_JOINED);
    check_fails("def f(x):\n", PY_TEST, "    return 3 * x",
                "test: exit 1: AssertionError");
    check_fails("", PY_TEST, "import sys; sys.exit(0)",
                "test: ended before its test did");
    check_fails("", PY_TEST, "import os; os._exit(0)",
                "test: ended before its test did");
    check_fails("", PY_TEST, "import os; os.write(3, b'x' * 32); os._exit(0)",
                "test: ended before its test did");
    check_passes("", PY_TEST, "import os; os.fork(); f = lambda x: 4",
                 PROGRAM_JOINED); /* both tell */
    check_fails("", PY_TEST, "import os; os.abort()",
                "test: killed by signal 6");
}

TEST(a_test_in_c)
{
    NEED(CHECK_C);
    check_passes("int f(int x) {", C_TEST, " return x * 2; }",
                 PROGRAM_JOINED);
    check_fails("int f(int x) {", C_TEST, " return x * 3; }",
                "test: exit 1");
    check_fails("#include <stdlib.h>\nint f(int x) {", C_TEST,
                " exit(0); }", "test: ended before its test did");
    check_fails("int f(int x) {", C_TEST, " return *(volatile int *)8; }",
                "test: killed by signal 11");
}

TEST(programs_that_do_harm)
{
    static const char good[] = "\ndef f(x): return 4";
    static const struct {
        const char *does, *why;
    } bad[] = {
        { "open('/etc/passwd')", "test: exit 1: FileNotFoundError: [Errno 2] "
          "No such file or directory: '/etc/passwd'" },
        { "import socket\nsocket.create_connection(('127.0.0.1', 80))",
          "test: exit 1: OSError: [Errno 101] Network is unreachable" },
        { "import os, time\nwhile os.fork(): pass\ntime.sleep(60)",
          "test: exit 1: "
          "BlockingIOError: [Errno 11] Resource temporarily unavailable" },
        { "f = open('x', 'wb', 0)\nwhile True: f.write(b'x' * 65536)",
          "test: exit 1: OSError: [Errno 28] No space left on device" },
        { "for i in range(99):\n open(str(i), 'wb').write(b'x' * 99999)",
          "test: exit 1: OSError: [Errno 28] No space left on device" },
        { "x = bytearray(2 << 30)", "test: exit 1: MemoryError" },
        { "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) == 0: "
          "exit()\nelse: raise ValueError", "test: exit 1: ValueError" },
        { "open('/usr/x', 'w')", "test: exit 1: OSError: [Errno 30] "
          "Read-only file system: '/usr/x'" },
        { "import time\ntime.sleep(60)", "test: over 3 s by the clock" },
    };
    struct buf program;

    NEED(CHECK_PYTHON);
    buf_init(&program);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&program);
        buf_addf(&program, "%s%s", bad[i].does, good);
        check_fails("", PY_TEST, program.data, bad[i].why);
    }
    buf_release(&program);
    /* what does no harm is no reason to fail */
    check_passes("import os\n"
                 "for i in range(10000): os.write(1, b'x' * 100000)\n"
                 "if os.fork() == 0:\n"
                 "    os.setsid()\n"
                 "    if os.fork() == 0:\n"
                 "        import time; time.sleep(60)\n"
                 "    os._exit(0)\n"
                 "f = lambda x: 4", PY_TEST, "", PROGRAM_JOINED);
}

/* The same without namespaces, as far as they are not given up. */
TEST(programs_that_do_harm_where_there_are_no_namespaces)
{
    static const char good[] = "\ndef f(x): return 4";
    static const struct {
        const char *does, *why;
    } bad[] = {
        { "open('/etc/passwd')", "test: exit 1: PermissionError: [Errno 13] "
          "Permission denied: '/etc/passwd'" },
        { "import socket\nsocket.create_connection(('127.0.0.1', 80))",
          "test: exit 1: PermissionError: [Errno 1] Operation not permitted" },
        { "import os, time\nwhile os.fork(): pass\ntime.sleep(60)",
          "test: exit 1: "
          "BlockingIOError: [Errno 11] Resource temporarily unavailable" },
        { "f = open('x', 'wb', 0)\nwhile True: f.write(b'x' * 65536)",
          "test: exit 1: OSError: [Errno 27] File too large" },
        { "import os\nos.kill(os.getppid(), 9)", "test: exit 1: "
          "PermissionError: [Errno 1] Operation not permitted" },
        { "open('/usr/x', 'w')", "test: exit 1: PermissionError: [Errno 13] "
          "Permission denied: '/usr/x'" },
    };
    struct buf program;

    limits.kind = SANDBOX_LANDLOCK;
    NEED(CHECK_PYTHON);
    buf_init(&program);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&program);
        buf_addf(&program, "%s%s", bad[i].does, good);
        check_fails("", PY_TEST, program.data, bad[i].why);
    }
    buf_release(&program);
    check_passes("def f(x):\n", PY_TEST, "    return 2 * x", PROGRAM_JOINED);
    NEED(CHECK_C);
    check_passes("int f(int x) {", C_TEST, " return x * 2; }",
                 PROGRAM_JOINED);
}

static const struct test tests[] = {
    RUN(python_that_compiles),
    RUN(c_that_compiles),
    RUN(a_test_has_passed_when_it_came_to_its_end),
    RUN(a_test_in_c),
    RUN(programs_that_do_harm),
    RUN(programs_that_do_harm_where_there_are_no_namespaces),
};

TEST_MAIN("run_check", tests)
