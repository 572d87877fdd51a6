/* jsonl_vector.c - lines to vector records. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/jsonl_line.h"
#include "record/vector.h"

/* The elements that are the value at v, to be freed. */
static int
read_elements(struct json *v, float **x, size_t *n, struct err *e)
{
    size_t cap = 0;
    double element;
    int rc = json_enter_array(v, e);

    *x = NULL;
    *n = 0;
    while (rc == 0 && json_next_item(v)) {
        if (*n == VECTOR_DIM_MAX)
            return json_error(v, e, "more than %u elements", VECTOR_DIM_MAX);
        if (*n == cap) {
            cap = 2 * cap + 256;
            *x = mem_grow(*x, cap * sizeof(**x));
        }
        rc = json_double(v, &element, e);
        if (rc == 0)
            (*x)[(*n)++] = (float)element;
    }
    return rc;
}

int
jsonl_read_vector(struct jsonl *j, struct err *e)
{
    struct jsonl_state *s = j->state;
    struct entry *t = line_need(s, "vector", e);
    struct tokens_origin origin;
    struct json v, start;
    float *x = NULL;
    size_t n = 0;
    int rc;

    if (!t)
        return ERR_DATA;
    v = start = line_value(s, t);
    rc = read_elements(&v, &x, &n, e);
    if (rc == 0 && (n == 0 || (j->dim != 0 && n != j->dim)))
        rc = json_error(&start, e, "a vector of %zu elements (expected %"
                        PRIu64 ")", n, j->dim ? j->dim : 1);
    if (rc == 0)
        rc = jsonl_read_origin(j, &origin, e);
    if (rc == 0 && vector_encode(&j->record, &origin, x, n, e) < 0)
        rc = err_prefix(e, "%s", s->line.where);
    j->kind = JSONL_VECTOR;
    free(x);
    return rc;
}
