/* scan_sizes.c - whether the sizes of a family of scans fit together. */
#include "model/scan_sizes.h"

#include <math.h>
#include <string.h>

/* The step's rank: a sixteenth of the model's columns, unless it is named.
 * Mamba-2's steps have none, and any number does. */
static int
check_rank(struct config *c, const struct family *f, const cJSON *root,
           struct err *e)
{
    const cJSON *rank = cJSON_GetObjectItemCaseSensitive(root, f->rank_key);
    double least = f->mixer == MIX_MAMBA2 ? INT32_MIN : 1;
    double most = f->mixer == MIX_MAMBA2 ? INT32_MAX : c->inner;

    c->rank = ceil(c->dim / 16);
    if (rank == NULL
        || (cJSON_IsString(rank) && strcmp(rank->valuestring, "auto") == 0))
        return 0;
    if (!cJSON_IsNumber(rank) || rank->valuedouble < least
        || rank->valuedouble > most
        || rank->valuedouble != floor(rank->valuedouble))
        return key_error(f->rank_key, rank, e, "\"auto\" or a whole "
                         "number from %.0f to %.0f", least, most);
    c->rank = rank->valuedouble;
    return 0;
}

/* A number, or how transformers 5 writes an infinite one. */
static bool
read_limit(double *out, const cJSON *v)
{
    const cJSON *word = cJSON_GetObjectItemCaseSensitive(v, "__float__");

    *out = cJSON_IsNumber(v) ? v->valuedouble : INFINITY;
    return cJSON_IsNumber(v)
           || (cJSON_IsString(word)
               && strcmp(word->valuestring, "Infinity") == 0);
}

static int
check_limits(struct config *c, const cJSON *root, struct err *e)
{
    const char *key = "time_step_limit";
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    c->step_low = 0;
    c->step_high = INFINITY;
    if (v == NULL)
        return 0;
    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 2
        || !read_limit(&c->step_low, cJSON_GetArrayItem(v, 0))
        || !read_limit(&c->step_high, cJSON_GetArrayItem(v, 1))
        || !(c->step_low <= c->step_high) || isinf(c->step_low))
        return key_error(key, v, e, "two numbers, the lesser first");
    return 0;
}

/* Mamba-2's heads share out the inner columns, and its groups the heads. */
static int
check_mamba2(struct config *c, const cJSON *root, struct err *e)
{
    if (fabs(c->heads * c->head_dim - c->inner) > 0)
        return err_set(e, ERR_DATA, "num_heads (found %g of %g columns each, "
                       "expected as many as expand times hidden_size, %g)",
                       c->heads, c->head_dim, c->inner);
    if (fmod(c->heads, c->groups) != 0)
        return err_set(e, ERR_DATA, "n_groups (found %g, which does not "
                       "divide the %g heads)", c->groups, c->heads);
    return check_limits(c, root, e);
}

int
scan_sizes(struct config *c, const struct family *f, const cJSON *root,
           struct err *e)
{
    double inner = c->expand * c->dim;
    int rc;

    if (c->inner > 0 && fabs(c->inner - inner) > 0)
        return err_set(e, ERR_DATA, "intermediate_size (found %g, expected "
                       "expand times hidden_size, %g)", c->inner, inner);
    c->inner = inner;
    rc = check_rank(c, f, root, e);
    return rc == 0 && f->mixer == MIX_MAMBA2 ? check_mamba2(c, root, e) : rc;
}
