/* machine.h - --device, --compute and --threads: what a program that runs a
 * model computes with.
 *
 * The program's struct has a struct machine_options, its table the rows:
 *
 *     { COMPUTE_OPTION, AT(machine.compute) },
 *     { DEVICE_OPTION, AT(machine.device) },
 *     { MACHINE_THREADS_OPTION, AT(machine.threads) },
 */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "cli/options.h"
#include "model/device.h"

struct machine_options {
    const char *device, *compute;
    uint64_t threads;
};

#define COMPUTE_OPTION \
    .name = "compute", .type = OPT_NAME, .output = true, .arg = "TYPE", \
    .def = "f32", .choices = COMPUTE_TYPES, \
    .help = "type that products compute in"

#define DEVICE_OPTION \
    .name = "device", .type = OPT_STRING, .arg = "NAME", .def = "auto", \
    .help = "where to compute: " DEVICE_NAMES "; auto takes a card where " \
            "there is one"

#define MACHINE_THREADS_OPTION \
    THREADS_OPTION, .help = "threads; 0 for one a processor"

/* Sets the number of threads; which back end is meant. */
struct device_opts machine_use(const struct machine_options *o);

#endif
