/* context_options.h - --context-from and what goes with it: the earlier
 * commits that stand before what a model is shown.
 *
 * The program's struct has a struct context_options, its table the rows:
 *
 *     { CONTEXT_FROM_OPTION, AT(from.set) },
 *     { CONTEXT_VECTORS_OPTION, AT(from.vectors) },
 *     { CONTEXT_RECORDS_OPTION, AT(from.records) },
 *     { CONTEXT_TOKENS_OPTION, AT(from.tokens) },
 */
#ifndef CLI_CONTEXT_OPTIONS_H
#define CLI_CONTEXT_OPTIONS_H

#include "eval/context.h"
#include "tool/tool.h"

struct context_options {
    const char *set, *vectors;
    uint64_t records, tokens;
};

#define CONTEXT_FROM_OPTION \
    .name = "context-from", .type = OPT_STRING, .arg = "SET", \
    .help = "set of tokens, whose records that are most like a text stand " \
            "before it"

#define CONTEXT_VECTORS_OPTION \
    .name = "context-vectors", .type = OPT_STRING, .arg = "VECTORS", \
    .help = "what embed makes of that set, with the same base: a set or a " \
            "file"

#define CONTEXT_RECORDS_OPTION \
    .name = "context-records", .type = OPT_U64, .output = true, .arg = "N", \
    .def = "4", .min = 1, .max = 1024, \
    .help = "how many records stand before a text, at most"

#define CONTEXT_TOKENS_OPTION \
    .name = "context-tokens", .type = OPT_U64, .output = true, .arg = "N", \
    .def = "512", .min = 1, .max = 1048576, \
    .help = "how many tokens they have, at most"

/* ERR_USAGE for options that don't go together, or would not be obeyed. */
int context_options_check(const struct context_options *o,
                          const struct args *args, struct err *e);

/* Opens the set where one is named: *to is c then, else NULL. */
int context_options_open(const struct context_options *o, bool force,
                         const struct model *m, struct context_set *c,
                         struct context_set **to, struct err *e);

#endif
