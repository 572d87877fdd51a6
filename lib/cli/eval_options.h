/* eval_options.h - evalprompts's options, and which of them go together. */
#ifndef CLI_EVAL_OPTIONS_H
#define CLI_EVAL_OPTIONS_H

#include "cli/context_options.h"
#include "cli/machine.h"
#include "tool/tool.h"
#include "weights/model.h"

struct eval_options {
    const char *base, *adapter, *compare;
    const char *data, *split, *forget_data, *forget_split;
    const char *per_record, *tokenizer, *junit;
    struct context_options from;
    struct opt_list by, fail_below, fail_above;
    uint64_t batch, seq_len, records, max_tokens, context, samples, seed;
    uint64_t exactness, check_seconds, check_memory;
    int suite, sandbox;
    double temperature, top_p;
    struct machine_options machine;
    bool force;
};

extern const struct opt eval_option_table[];

/* ERR_USAGE for options that don't go together, or would not be obeyed. */
int eval_options_check(const struct eval_options *o, const struct args *args,
                       struct err *e);

/* The bits of score_opts.by, of options that were checked. */
unsigned eval_options_by(const struct eval_options *o);

/* Whether what is written besides stdout can be, and takes the place of
 * nothing that is read; m is open. */
int eval_options_asides(const struct eval_options *o, const struct args *args,
                        const struct model *m, struct err *e);

#endif
