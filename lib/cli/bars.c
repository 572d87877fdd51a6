/* bars.c - looks a metric up in a summary and holds it against its bar. */
#include "cli/bars.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* The bar of METRIC=NUMBER; NAN where it is none. */
static double
bar_of(const char *item)
{
    const char *equals = strrchr(item, '=');
    char *end;
    double bar;

    if (equals == NULL || equals == item || equals[1] == '\0'
        || strchr(" \t\n", equals[1]) != NULL)
        return NAN;
    bar = strtod(equals + 1, &end);
    return *end == '\0' ? bar : NAN;
}

int
bars_check(const struct opt_list *bars, const char *option, struct err *e)
{
    for (size_t i = 0; i < bars->n; i++) {
        if (!isfinite(bar_of(bars->item[i])))
            return err_set(e, ERR_USAGE, "--%s %s: not METRIC=NUMBER", option,
                           bars->item[i]);
    }
    return 0;
}

/* What the names of an item lead to, or NULL. */
static const cJSON *
find_metric(const cJSON *o, const char *item)
{
    const char *end = strrchr(item, '=');

    while (o != NULL && item < end) {
        size_t n = strcspn(item, ".=");
        const cJSON *v, *found = NULL;

        cJSON_ArrayForEach(v, o) {
            if (v->string != NULL && strlen(v->string) == n
                && memcmp(v->string, item, n) == 0)
                found = v;
        }
        o = found;
        item += n + (item[n] == '.');
    }
    return o;
}

static int
hold(const struct opt_list *bars, bool below, const cJSON *summary,
     struct err *e)
{
    for (size_t i = 0; i < bars->n; i++) {
        const char *item = bars->item[i];
        const cJSON *v = find_metric(summary, item);
        int n = (int)(strrchr(item, '=') - item);
        double bar = bar_of(item);

        if (v == NULL || !(cJSON_IsNumber(v) || cJSON_IsNull(v)))
            return err_set(e, ERR_USAGE, "--fail-%s %s: the summary has no "
                           "number %.*s", below ? "below" : "above", item, n,
                           item);
        if (cJSON_IsNull(v))
            return err_set(e, ERR_LIMIT, "%.*s is null, and no number %s %s",
                           n, item, below ? "above" : "below",
                           item + n + 1);
        if (below ? v->valuedouble < bar : v->valuedouble > bar)
            return err_set(e, ERR_LIMIT, "%.*s is %.6g, %s the bar of %s", n,
                           item, v->valuedouble, below ? "below" : "above",
                           item + n + 1);
    }
    return 0;
}

int
bars_hold(const struct opt_list *below, const struct opt_list *above,
          const struct buf *summary, struct err *e)
{
    cJSON *o = NULL;
    int rc;

    if (below->n + above->n == 0)
        return 0;
    rc = json_user(&o, summary->data, summary->len, "summary", e);
    if (rc == 0)
        rc = hold(below, true, o, e);
    if (rc == 0)
        rc = hold(above, false, o, e);
    cJSON_Delete(o);
    return rc;
}
