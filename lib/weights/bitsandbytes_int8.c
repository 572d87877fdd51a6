/* bitsandbytes_int8.c - finds the 8-bit weight that scales are of, checks that
 * they fit, and makes one I8_ROW tensor of both. */
#include "weights/bitsandbytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "weights/weights_source.h"

#define SCALES "SCB"
#define WEIGHT "weight"
#define LAYOUT "weight_format"

/* bitsandbytes' number for rows one after the other. */
enum { LAYOUT_ROWS = 0 };

static bool
is_scales(const char *name)
{
    size_t n = strlen(name), end = strlen(SCALES);

    return n > end && name[n - end - 1] == '.'
           && strcmp(name + n - end, SCALES) == 0;
}

/* What does not fit; NULL if all does. */
static const char *
check(const struct weight *q, const struct weight *scales,
      const struct weight *layout)
{
    if (q == NULL)
        return "is there without its weight";
    if (q->dtype != DTYPE_I8 || q->n_dims != 2)
        return "its weight is no matrix of I8";
    if (scales->dtype != DTYPE_F32
        || scales->bytes / sizeof(float) != q->shape[0])
        return "is not an F32 for each row of its weight";
    if (layout && (layout->dtype != DTYPE_U8 || layout->bytes != 1
                   || *(const uint8_t *)layout->data != LAYOUT_ROWS))
        return "weight_format is not 0, that of rows";
    return NULL;
}

/* Makes one tensor of item i, scales, and its weight, and marks what is a part
 * of that. */
static int
attach(struct weights *w, size_t i, bool *part, struct err *e)
{
    const struct weight *t = &w->item[i];
    struct weight *q = weights_beside(w, t->name, SCALES, WEIGHT);
    const struct weight *layout = weights_beside(w, t->name, SCALES, LAYOUT);
    const char *why = w->bitsandbytes == 4
                      ? "is of 8 bits, beside weights of 4"
                      : check(q, t, layout);

    if (why != NULL)
        return err_set(e, ERR_DATA, "%s: tensor %s: %s", w->path, t->name,
                       why);
    q->dtype = DTYPE_I8_ROW;
    q->scale = t->data;
    part[i] = true;
    if (layout != NULL)
        part[layout - w->item] = true;
    w->bitsandbytes = 8;
    return 0;
}

int
bitsandbytes_attach_int8(struct weights *w, struct err *e)
{
    bool *part = mem_array(w->n, sizeof(*part));
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++)
        if (is_scales(w->item[i].name))
            rc = attach(w, i, part, e);
    if (rc == 0)
        weights_leave(w, part);
    free(part);
    return rc;
}
