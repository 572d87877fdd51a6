/* sampling_config.c - the keys of generation_config.json that are about the
 * draw of a token; null is as good as absent. */
#include "eval/sampling_config.h"

#include <math.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"

/* Sets *to, which is the default before, to the number of that name. */
static int
read_number(double *to, const cJSON *root, const char *key, double min,
            double max, const char *where, struct err *e)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    if (v == NULL || cJSON_IsNull(v))
        return 0;
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= min)
        || !(v->valuedouble <= max))
        return err_set(e, ERR_DATA, "%s: %s (expected a number from %g to "
                       "%g)", where, key, min, max);
    *to = v->valuedouble;
    return 0;
}

static int
read_keys(struct sampling *s, const cJSON *root, const char *where,
          struct err *e)
{
    const cJSON *sample = cJSON_GetObjectItemCaseSensitive(root, "do_sample");
    double k = 0;
    int rc;

    s->temperature = s->top_p = s->repetition_penalty = 1;
    s->min_p = 0;
    rc = read_number(&s->temperature, root, "temperature", 0, 100, where, e);
    if (rc == 0)
        rc = read_number(&k, root, "top_k", 0, INT32_MAX, where, e);
    if (rc == 0)
        rc = read_number(&s->top_p, root, "top_p", 0, 1, where, e);
    if (rc == 0)
        rc = read_number(&s->min_p, root, "min_p", 0, 1, where, e);
    if (rc == 0)
        rc = read_number(&s->repetition_penalty, root, "repetition_penalty",
                         0.001, 1000, where, e);
    s->top_k = (uint32_t)k;
    if (!cJSON_IsTrue(sample))
        s->temperature = 0;
    return rc;
}

int
sampling_config_read(struct sampling *s, const struct weights *w,
                     struct err *e)
{
    static const char name[] = "generation_config.json";
    const struct weight_asset *a = weights_asset(w, name);
    char *where = path_join(w->path, name);
    cJSON *root = NULL;
    int rc = 0;

    if (a != NULL)
        rc = json_user(&root, a->data, a->n, where, e);
    if (rc == 0)
        rc = read_keys(s, root, where, e);
    cJSON_Delete(root);
    free(where);
    return rc;
}
