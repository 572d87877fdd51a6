/* merging.c - the manifests of the sets that are read. */
#include "record/merging.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/set.h"

int
merging_open(struct merging *g, char *const *path, size_t n, struct err *e)
{
    int rc = 0;

    memset(g, 0, sizeof(*g));
    if (n == 0 || (n == 1 && !set_is(path[0])))
        return 0;
    g->set = mem_array(n, sizeof(*g->set));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!path_exists(path[i]))
            rc = err_set(e, ERR_IO, "%s: No such file or directory", path[i]);
        else if (!set_is(path[i]))
            rc = err_set(e, ERR_USAGE, "%s: is no set (several operands are "
                         "sets to be merged; streams are joined by cat)",
                         path[i]);
        else
            rc = set_manifest(&g->set[i], path[i], NULL, e);
        g->n += rc == 0;
    }
    if (rc < 0)
        merging_release(g);
    return rc;
}

void
merging_release(struct merging *g)
{
    for (size_t i = 0; i < g->n; i++)
        manifest_release(&g->set[i]);
    free(g->set);
    memset(g, 0, sizeof(*g));
}

static bool
same_rules(const struct manifest *a, const struct manifest *b)
{
    if (a->n_sampling != b->n_sampling)
        return false;
    for (size_t i = 0; i < a->n_sampling; i++)
        if (strcmp(a->sampling[i], b->sampling[i]) != 0)
            return false;
    return true;
}

int
merging_rules(const struct merging *g, const char *const **rule, size_t *n,
              struct err *e)
{
    *n = 0;
    for (size_t i = 1; i < g->n; i++)
        if (!same_rules(&g->set[0], &g->set[i]))
            return err_set(e, ERR_USAGE, "the sets have different rules of "
                           "sampling: give the new one's (--sample, or "
                           "--sample none)");
    if (g->n > 0) {
        *rule = (const char *const *)g->set[0].sampling;
        *n = g->set[0].n_sampling;
    }
    return 0;
}
