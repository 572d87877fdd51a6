/* context_options.c - which of the options go together, and what they open. */
#include "cli/context_options.h"

#include <string.h>

#include "base/log.h"

int
context_options_check(const struct context_options *o,
                      const struct args *args, struct err *e)
{
    static const char *const of_set[] = {
        "context-vectors", "context-records", "context-tokens"
    };

    for (size_t i = 0; i < sizeof(of_set) / sizeof(of_set[0]); i++) {
        if (o->set == NULL && tool_given(args, of_set[i]))
            return err_set(e, ERR_USAGE, "--%s without --context-from",
                           of_set[i]);
    }
    if (o->set != NULL && o->vectors == NULL)
        return err_set(e, ERR_USAGE, "--context-from without "
                       "--context-vectors: embed makes them");
    if (o->set != NULL && strcmp(o->vectors, "-") == 0)
        return err_set(e, ERR_USAGE, "--context-vectors -: name a set or a "
                       "file");
    return 0;
}

int
context_options_open(const struct context_options *o, bool force,
                     const struct model *m, struct context_set *c,
                     struct context_set **to, struct err *e)
{
    struct context_opts opts = { .set = o->set, .vectors = o->vectors,
                                 .records = (uint32_t)o->records,
                                 .tokens = (uint32_t)o->tokens,
                                 .force = force };
    int rc;

    *to = NULL;
    if (o->set == NULL)
        return 0;
    rc = context_open(c, &opts, m, e);
    if (rc == 0) {
        *to = c;
        log_info("%s: %zu records may stand before a text", o->set,
                 c->search.n);
    }
    return rc;
}
