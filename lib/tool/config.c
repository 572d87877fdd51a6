/* config.c - a JSON run file: options by name, as on the command line. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tool/internal.h"

#define MAX_CONFIG (1 << 20)

/* A member's value as one would type it; false for a type that no option
 * has. */
static bool
member_text(const cJSON *v, struct buf *out)
{
    if (cJSON_IsString(v)) {
        buf_addstr(out, v->valuestring);
    } else if (cJSON_IsBool(v)) {
        buf_addstr(out, cJSON_IsTrue(v) ? "true" : "false");
    } else if (cJSON_IsNumber(v)) {
        buf_addf(out, "%.17g", v->valuedouble);
    } else if (cJSON_IsArray(v)) {
        const cJSON *item;

        cJSON_ArrayForEach(item, v) {
            if (!cJSON_IsString(item))
                return false;
            buf_addf(out, "%s%s", out->len ? "," : "", item->valuestring);
        }
    } else {
        return false;
    }
    return true;
}

static int
set_member(const struct tool *t, void *opts, struct args *args,
           const cJSON *v, const char *path, struct err *e)
{
    const char *nearest;
    const struct opt *o = opt_find(t, v->string, strlen(v->string),
                                   &nearest);
    struct buf text;
    int rc;

    if (o == NULL || opt_is_common(o) || o->type == OPT_CONFIG)
        return err_set(e, ERR_DATA, "%s: unknown key '%s'%s%s%s", path,
                       v->string, nearest ? " (did you mean '" : "",
                       nearest ? nearest : "", nearest ? "'?)" : "");
    if (cJSON_IsNull(v))
        return 0;
    args->given[o - t->opts] = true;
    buf_init(&text);
    if (!member_text(v, &text))
        rc = err_set(e, ERR_DATA, "%s: bad value of '%s'", path, v->string);
    else if (value_parse(o, opts, text.data, e) < 0)
        rc = err_prefix(e, "%s", path);
    else
        rc = 0;
    buf_release(&text);
    return rc < 0 ? (e->code = ERR_DATA) : 0;
}

int
config_read(const struct tool *t, void *opts, struct args *args,
            const char *path, struct err *e)
{
    cJSON *root = NULL;
    const cJSON *v;
    int rc = json_user_file(&root, path, MAX_CONFIG, e);

    if (rc < 0)
        return rc;
    if (!cJSON_IsObject(root))
        rc = err_set(e, ERR_DATA, "%s: not a JSON object", path);
    cJSON_ArrayForEach(v, root) {
        if (rc == 0)
            rc = set_member(t, opts, args, v, path, e);
    }
    cJSON_Delete(root);
    return rc;
}
