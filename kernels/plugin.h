/* plugin.h - a back end in a shared object of its own.
 *
 * graft-cuda.so is built by another compiler, and machines without a card
 * lack what it needs, so no program is linked with it: it is opened at run
 * time, and all that is known of it is this table.
 */
#ifndef KERNELS_PLUGIN_H
#define KERNELS_PLUGIN_H

#include <stdbool.h>

#include "kernels/ops.h"

/* Goes up with every change of ops.h's structures or of this table. */
#define PLUGIN_ABI 10
#define PLUGIN_SYMBOL "graft_plugin"

struct plugin {
    uint32_t abi;
    uint32_t op_bytes, backend_bytes; /* sizeof, as the plugin sees them */
    const char *version;              /* of graft */

    /* Opens card `index` (-1: the first that will do). compute is "f32" or
     * "bf16". *b is set but for what err says. ERR_IO where there is no
     * driver or card, or the card is not what it takes: one line, what was
     * found and what to do. */
    int (*open)(struct backend *b, int index, const char *compute,
                struct err *e);
};

/* A card that is not here, to plan by: what the plugin would say of one
 * (names, types, scratch), and nothing that computes; prepare is NULL. It is
 * the program's own, and needs no plugin. False for another compute. */
bool cuda_plan(struct backend *b, const char *compute);

#endif
