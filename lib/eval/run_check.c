/* run_check.c - a completion becomes a program, and what it did a verdict. */
#include "eval/run_check.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "text/fence.h"

#define MARK_BYTES 16
#define WHY_MAX 200

static const struct {
    const char *needs;   /* the program that has to be there */
    const char *file;
    const char *compile; /* commands of a shell */
    const char *test;
} languages[CHECK_LANGUAGES] = {
    [CHECK_C] = { .needs = "cc", .file = "program.c",
                  .compile = "exec cc -w -fsyntax-only program.c",
                  /* the linker may not be let make it executable */
                  .test = "cc -w -Dmain=test_main -c program.c"
                          " && cc -w -o linked program.o tell.c -lm"
                          " && cat linked >run && exec ./run" },
    [CHECK_PYTHON] = { .needs = "python3", .file = "program.py",
                       .compile = "exec python3 -m py_compile program.py",
                       .test = "exec python3 program.py" },
};

/* ---- whether it can be done ---- */

static int
run_shell(struct sandbox_result *r, const char *command,
          const struct sandbox_file *file, size_t n,
          const struct sandbox_limits *limits, struct err *e)
{
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };
    struct sandbox_job job = { .file = file, .n_files = n, .argv = argv };
    int rc = sandbox_run(r, limits, &job, e);

    if (rc < 0)
        err_prefix(e, limits->kind == SANDBOX_NAMESPACES
                   ? "no sandbox for programs here (--sandbox landlock needs "
                     "no namespaces)" : "no sandbox for programs here");
    return rc;
}

static int
find_compiler(enum check_language language,
              const struct sandbox_limits *limits, struct err *e)
{
    const char *needs = languages[language].needs;
    struct sandbox_result r;
    char command[64];
    bool found;
    int rc;

    snprintf(command, sizeof(command), "%s --version >/dev/null", needs);
    rc = run_shell(&r, command, NULL, 0, limits, e);
    if (rc < 0)
        return rc;
    found = r.end == SANDBOX_EXIT && r.status == 0;
    sandbox_result_release(&r);
    return found ? 0 : err_set(e, ERR_IO, "no %s in /usr/local/bin, /usr/bin "
                               "or /bin, with which programs in %s are "
                               "checked", needs,
                               check_language_name(language));
}

int
run_checks_ready(const struct prompts *p,
                 const struct sandbox_limits *limits, struct err *e)
{
    bool wanted[CHECK_LANGUAGES] = { false };
    int rc = 0;

    for (size_t i = 0; i < p->n; i++) {
        for (int k = 0; k < CHECK_KINDS; k++) {
            if (check_runs(k) && p->item[i].checks.n[k] > 0)
                wanted[p->item[i].checks.item[k]->language] = true;
        }
    }
    for (int l = 0; l < CHECK_LANGUAGES && rc == 0; l++) {
        if (wanted[l])
            rc = find_compiler(l, limits, e);
    }
    return rc;
}

/* ---- one check ---- */

/* Appends what the completion is a program of. */
static void
add_program(struct buf *b, const struct prompt *p, const struct completion *c)
{
    const char *text = c->text.data, *inside;
    size_t n = c->text.len;

    if (p->program == PROGRAM_JOINED)
        buf_add(b, p->text, p->len);
    if (p->program == PROGRAM_FENCED) {
        inside = fenced(text, n, &n);
        text = inside != NULL ? inside : text;
    }
    buf_add(b, text, n);
    buf_addc(b, '\n');
}

/* The line that says most, fit to be shown: a compiler's first error, or the
 * last line that isn't empty. */
static void
add_telling_line(struct buf *b, const struct buf *said)
{
    const char *error = memmem(said->data, said->len, "error: ", 7);
    size_t end = said->len, at;
    char line[WHY_MAX], shown[WHY_MAX];

    if (error != NULL)
        end = (size_t)(error - said->data) + strcspn(error, "\n");
    while (end > 0 && strchr(" \t\r\n", said->data[end - 1]) != NULL)
        end--;
    for (at = end; at > 0 && said->data[at - 1] != '\n'; at--)
        ;
    if (at == end)
        return;
    snprintf(line, sizeof(line), "%.*s", (int)(end - at), said->data + at);
    err_escape(shown, sizeof(shown), line);
    buf_addf(b, ": %s", shown);
}

static void
tell_why(struct buf *b, const char *kind, const struct sandbox_result *r,
         const struct sandbox_limits *limits)
{
    buf_addf(b, "%s: ", kind);
    switch (r->end) {
    case SANDBOX_CLOCK:
        buf_addf(b, "over %u s by the clock",
                 SANDBOX_CLOCK_TIMES * limits->seconds);
        return;
    case SANDBOX_CPU:
        buf_addf(b, "over %u s of processor time", limits->seconds);
        return;
    case SANDBOX_SIGNAL:
        buf_addf(b, "killed by signal %d", r->status);
        return;
    default:
        break;
    }
    if (r->status == 0) {
        buf_addstr(b, "ended before its test did");
    } else {
        buf_addf(b, "exit %d", r->status);
        add_telling_line(b, &r->said);
    }
}

/* A line that tells the mark, at the program's end; for C what calls it. */
static void
add_mark(struct buf *program, struct buf *tell, enum check_language language,
         const char *mark)
{
    if (language == CHECK_PYTHON)
        buf_addf(program, "\n__import__(\"os\").write(%d, b\"%s\")\n",
                 SANDBOX_TELL, mark);
    else
        buf_addf(tell, "#include <unistd.h>\n"
                 "int test_main(int n, char **word);\n"
                 "int main(int n, char **word)\n{\n"
                 "    int rc = test_main(n, word);\n\n"
                 "    if (rc == 0 && write(%d, \"%s\", %d) < 0)\n"
                 "        return 1;\n"
                 "    return rc;\n}\n", SANDBOX_TELL, mark, 2 * MARK_BYTES);
}

static int
run_check(const struct prompt *p, enum check_kind kind, struct completion *c,
          const struct sandbox_limits *limits, struct err *e)
{
    const struct check_item *t = p->checks.item[kind];
    bool test = kind == CHECK_TEST;
    unsigned char random[MARK_BYTES];
    char mark[2 * MARK_BYTES + 1];
    struct sandbox_result r;
    struct buf program, tell;
    bool held;
    int rc;

    buf_init(&program);
    buf_init(&tell);
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(mark, sizeof(mark), random, sizeof(random));
    add_program(&program, p, c);
    if (test) {
        buf_add(&program, t->text, t->len);
        buf_addc(&program, '\n');
        add_mark(&program, &tell, t->language, mark);
    }
    rc = run_shell(&r, test ? languages[t->language].test
                            : languages[t->language].compile,
                   (struct sandbox_file[]){
                       { languages[t->language].file, program.data,
                         program.len },
                       { "tell.c", tell.data, tell.len },
                       { "run", "", 0 } }, 3, limits, e);
    buf_release(&program);
    buf_release(&tell);
    if (rc < 0)
        return rc;
    held = r.end == SANDBOX_EXIT && r.status == 0
           && (!test || strncmp(r.told.data, mark, 2 * MARK_BYTES) == 0);
    c->result.held[kind] = held;
    c->result.passed &= held;
    if (!held && c->why.len == 0)
        tell_why(&c->why, check_name(kind), &r, limits);
    sandbox_result_release(&r);
    return 0;
}

int
run_checks(const struct prompt *p, struct completion *c,
           const struct sandbox_limits *limits, struct err *e)
{
    int rc = 0;

    for (int k = 0; k < CHECK_KINDS && rc == 0; k++) {
        if (check_runs(k) && p->checks.n[k] > 0)
            rc = run_check(p, k, c, limits, e);
    }
    return rc;
}
