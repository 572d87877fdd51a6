/* main.c - the main of every program, whose table names what it runs.
 *
 * It is a file by itself: a linker takes it from the archive for what has no
 * main of its own.
 */
#include "base/mem.h"
#include "base/stop.h"
#include "tool/internal.h"

/* Both last until the process ends, and what they name with them: with nothing
 * lost there is nothing whose place a leak checker would have to look up, which
 * would take it ten times as long as most programs run. */
static struct args args;
static void *opts;

int
main(int argc, char **argv)
{
    struct err e = { 0 };
    int rc;

    opts = mem_alloc(tool.options_size);
    tool_start(&tool, opts, &args, argc, argv);
    if (tool.stops)
        stop_catch();
    rc = tool_end(tool.run(opts, &args, &e), &e);
    if (tool.stops && rc == -ERR_AGAIN)
        stop_end();
    return rc;
}
