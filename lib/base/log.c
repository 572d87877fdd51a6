/* log.c - one line a message, written with one write. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/term.h"

static struct {
    const char *program;
    int verbosity;
    void (*take)(void *ctx, const char *text); /* of warnings, or NULL */
    void *ctx;
} state = { .program = "graft" };

void
log_setup(const char *program, int verbosity)
{
    state.program = program;
    state.verbosity = verbosity;
}

const char *
log_program(void)
{
    return state.program;
}

void
log_take_warnings(void (*take)(void *ctx, const char *text), void *ctx)
{
    state.take = take;
    state.ctx = ctx;
}

int
log_verbosity(void)
{
    return state.verbosity;
}

/* stderr is the last resort: that it can't be written to has no one to be
 * told, so the result is not looked at. */
static void
put(const char *p, size_t n)
{
    ssize_t k;

    while (n > 0) {
        k = write(STDERR_FILENO, p, n);
        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

static void
line(const char *tag, const char *fmt, va_list ap)
{
    char raw[2048], text[2048], out[2200];
    int n;

    vsnprintf(raw, sizeof(raw), fmt, ap);
    err_escape(text, sizeof(text), raw);
    if (state.take != NULL && *tag != '\0') {
        state.take(state.ctx, text);
        return;
    }
    n = snprintf(out, sizeof(out), "%s: %s%s\n", state.program, tag, text);
    if (n >= (int)sizeof(out)) {
        n = (int)sizeof(out) - 1;
        out[n - 1] = '\n';
    }
    term_hide(STDERR_FILENO);
    put(out, (size_t)n);
    term_show(STDERR_FILENO);
}

void
log_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("", fmt, ap);
    va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
    va_list ap;

    if (state.verbosity < 0 && state.take == NULL)
        return;
    va_start(ap, fmt);
    line("warning: ", fmt, ap);
    va_end(ap);
}

void
log_info(const char *fmt, ...)
{
    va_list ap;

    if (state.verbosity < 0)
        return;
    va_start(ap, fmt);
    line("", fmt, ap);
    va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
    va_list ap;

    if (state.verbosity < 1)
        return;
    va_start(ap, fmt);
    line("", fmt, ap);
    va_end(ap);
}
