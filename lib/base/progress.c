/* progress.c - the line of progress: when it is drawn, which is rarely, because
 * a look at a clock is all that most calls may cost. */
#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/progress_line.h"
#include "base/term.h"

#define FIRST_MS 500 /* work that is done by then shows nothing */
#define NEXT_MS 100

static struct {
    bool on;       /* there is work, and a terminal to show it on */
    bool shown;
    uint64_t next; /* when to draw again, ms */
    struct progress_line line;
} state;

/* The cheapest clock: it moves every few milliseconds. */
static uint64_t
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
draw(uint64_t ms, bool ended)
{
    char text[256];
    size_t n = progress_line_format(&state.line, ms, ended, term_columns(),
                                    text, sizeof(text));

    term_row(text, n);
    state.shown = true;
}

static void
look(void)
{
    uint64_t ms = now();

    if (ms < state.next)
        return;
    state.next = ms + NEXT_MS;
    draw(ms, false);
    progress_line_sample(&state.line, ms);
}

void
progress_begin(const char *unit, uint64_t done, uint64_t total)
{
    if (state.on && state.line.unit == unit && state.line.done == done
        && state.line.total == total) {
        state.line.at = state.line.of = 0;
        progress_line_begin(&state.line, now());
        return;
    }
    progress_end();
    if (log_verbosity() < 0 || !term_is(STDERR_FILENO))
        return;
    state.line = (struct progress_line){
        .program = log_program(), .unit = unit, .done = done, .total = total
    };
    progress_line_begin(&state.line, now());
    state.next = state.line.began + FIRST_MS;
    state.on = true;
    state.shown = false;
}

void
progress_add(uint64_t n)
{
    if (!state.on)
        return;
    state.line.done += n;
    if (state.line.total)
        state.line.at = state.line.of = 0;
    look();
}

void
progress_part(const char *doing, uint64_t at, uint64_t of)
{
    if (!state.on)
        return;
    state.line.doing = doing;
    state.line.at = at;
    state.line.of = of;
    look();
}

void
progress_note(const char *text)
{
    if (state.on)
        snprintf(state.line.note, sizeof(state.line.note), "%s", text);
}

void
progress_end(void)
{
    if (state.on && state.shown)
        draw(now(), true);
    term_leave();
    state.on = false;
}

void
progress_hide(int fd)
{
    term_hide(fd);
}

void
progress_show(int fd)
{
    term_show(fd);
}
