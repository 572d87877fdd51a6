/* bars.h - numbers of a summary that may not be below, or above, a bar: what
 * continuous integration takes for a gate.
 *
 * A bar is METRIC=NUMBER; the metric is the names that lead to the number in
 * the summary, with points between them: prompts.base.share.
 */
#ifndef CLI_BARS_H
#define CLI_BARS_H

#include "base/buf.h"
#include "tool/tool.h"

/* ERR_USAGE where an item is no METRIC=NUMBER; option names it. */
int bars_check(const struct opt_list *bars, const char *option,
               struct err *e);

/* Holds the summary, one JSON object, against bars that bars_check has
 * passed. ERR_LIMIT "METRIC is X, below the bar of Y" of the first that is
 * missed; null misses any. ERR_USAGE where the summary has no such number. */
int bars_hold(const struct opt_list *below, const struct opt_list *above,
              const struct buf *summary, struct err *e);

#endif
