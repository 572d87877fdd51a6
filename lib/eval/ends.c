/* ends.c - eos_token_id, of the first of two files that says anything. */
#include "eval/ends.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define KEY "eos_token_id"

bool
end_tokens_has(const struct end_tokens *t, uint32_t id)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->id[i] == id)
            return true;
    return false;
}

void
end_tokens_release(struct end_tokens *t)
{
    free(t->id);
    memset(t, 0, sizeof(*t));
}

/* One number. */
static int
add_token(struct end_tokens *t, const cJSON *v, uint32_t vocab,
          const char *where, struct err *e)
{
    double id = cJSON_IsNumber(v) ? v->valuedouble : NAN;

    if (!(fabs(id) < 0x1p53) || id != floor(id))
        return err_set(e, ERR_DATA, "%s: " KEY " (expected a whole number, "
                       "a list of them, or null)", where);
    if (id < 0 || id >= vocab)
        log_warn("%s: " KEY " %.0f is none of the model's %u tokens", where,
                 id, vocab);
    else
        t->id[t->n++] = (uint32_t)id;
    return 0;
}

/* Adds what the file's text says; *said is whether it says anything. */
static int
add_tokens(struct end_tokens *t, const struct weight_asset *a,
           const char *where, uint32_t vocab, bool *said, struct err *e)
{
    cJSON *root = NULL;
    const cJSON *v, *item;
    int rc = json_user(&root, a->data, a->n, where, e);

    if (rc < 0)
        return rc;
    v = cJSON_GetObjectItemCaseSensitive(root, KEY);
    *said = v != NULL && !cJSON_IsNull(v);
    if (cJSON_IsArray(v)) {
        t->id = mem_array((size_t)cJSON_GetArraySize(v), sizeof(*t->id));
        cJSON_ArrayForEach(item, v)
            if (rc == 0)
                rc = add_token(t, item, vocab, where, e);
    } else if (*said) {
        t->id = mem_array(1, sizeof(*t->id));
        rc = add_token(t, v, vocab, where, e);
    }
    cJSON_Delete(root);
    return rc;
}

int
end_tokens_read(struct end_tokens *t, const struct weights *w,
                uint32_t vocab, struct err *e)
{
    static const char *const files[] = { "generation_config.json",
                                         "config.json" };
    bool said = false;
    int rc = 0;

    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < 2 && rc == 0 && !said; i++) {
        const struct weight_asset *a = weights_asset(w, files[i]);
        char *where = path_join(w->path, files[i]);

        if (a != NULL)
            rc = add_tokens(t, a, where, vocab, &said, e);
        free(where);
    }
    if (rc < 0)
        end_tokens_release(t);
    return rc;
}
