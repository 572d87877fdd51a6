/* device.c - the one place that turns --device and --compute into a back
 * end. There is one so far: auto is the processor. */
#include "model/device.h"

#include <string.h>

int
device_open(struct backend *b, const struct device_opts *o, struct err *e)
{
    if (strcmp(o->name, "auto") != 0 && strcmp(o->name, "cpu") != 0)
        return err_set(e, ERR_USAGE, "no device '%s' (expected auto or cpu)",
                       o->name);
    return cpu_open(b, NULL, o->compute, e);
}

void
device_close(struct backend *b)
{
    cpu_close(b);
}
