/* machine.c - from the options that say what to compute with to what a back
 * end is opened by. */
#include "cli/machine.h"

#include "base/par.h"

struct device_opts
machine_use(const struct machine_options *o)
{
    par_set_threads((int)o->threads);
    return (struct device_opts){ .name = o->device, .compute = o->compute };
}
