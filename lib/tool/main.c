/* main.c - the main of every program, whose table names what it runs.
 *
 * It is a file by itself: a linker takes it from the archive for what has no
 * main of its own.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/stop.h"
#include "tool/internal.h"

int
main(int argc, char **argv)
{
    void *opts = mem_alloc(tool.options_size);
    struct err e = { 0 };
    struct args args;
    int rc;

    tool_start(&tool, opts, &args, argc, argv);
    if (tool.stops)
        stop_catch();
    rc = tool_end(tool.run(opts, &args, &e), &e);
    free(opts);
    if (tool.stops && rc == -ERR_AGAIN)
        stop_end();
    return rc;
}
