/* config.c - a JSON run file: options by name, as on the command line. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "tool/internal.h"

#define MAX_CONFIG (1 << 20)

/* Sets o from a scalar; ERR_USAGE for a bad value, too. */
static int
set_scalar(const struct opt *o, void *opts, const cJSON *v, struct err *e)
{
    bool whole = o->type == OPT_U64 || o->type == OPT_SIZE
                 || o->type == OPT_EVERY || o->type == OPT_SHARE;
    char number[40];

    if (cJSON_IsString(v) && o->type != OPT_FLAG)
        return value_parse(o, opts, v->valuestring, e);
    if (cJSON_IsBool(v) && o->type == OPT_FLAG)
        return value_parse(o, opts, cJSON_IsTrue(v) ? "true" : "false", e);
    if (!cJSON_IsNumber(v) || (!whole && o->type != OPT_DOUBLE))
        return err_set(e, ERR_USAGE, "--%s: a value of the wrong type",
                       o->name);
    if (whole && v->valuedouble > OPT_MAX_EXACT)
        return err_set(e, ERR_USAGE, "--%s: a number over 2^53 (write it as "
                       "a string)", o->name);
    snprintf(number, sizeof(number), "%.17g", v->valuedouble);
    return value_parse(o, opts, number, e);
}

static int
set_items(const struct opt *o, void *opts, const cJSON *v, struct err *e)
{
    struct opt_list *list = (void *)((char *)opts + o->offset);
    const cJSON *item;

    cJSON_ArrayForEach(item, v) {
        if (!cJSON_IsString(item))
            return err_set(e, ERR_USAGE, "--%s: an item that is no string",
                           o->name);
        value_add_item(list, item->valuestring, strlen(item->valuestring));
    }
    return 0;
}

static int
set_member(const struct tool *t, void *opts, struct args *args,
           const cJSON *v, const char *path, struct err *e)
{
    const char *nearest = NULL;
    const struct opt *o = opt_find(t, v->string, strlen(v->string),
                                   &nearest);
    bool list;
    int rc;

    if (o == NULL || opt_is_common(o) || o->type == OPT_CONFIG)
        return err_set(e, ERR_DATA, "%s: unknown key '%s'%s%s%s", path,
                       v->string, nearest ? " (did you mean '" : "",
                       nearest ? nearest : "", nearest ? "'?)" : "");
    if (cJSON_IsNull(v))
        return 0;
    args->given[o - t->opts] = true;
    list = o->type == OPT_LIST || o->type == OPT_WORDS;
    value_clear(o, opts);
    rc = list && cJSON_IsArray(v) ? set_items(o, opts, v, e)
                                  : set_scalar(o, opts, v, e);
    if (rc < 0) {
        err_prefix(e, "%s", path);
        e->code = rc = ERR_DATA;
    }
    return rc;
}

int
config_read(const struct tool *t, void *opts, struct args *args,
            const char *path, struct err *e)
{
    cJSON *root = NULL;
    const cJSON *v;
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read(&text, path, MAX_CONFIG, e);
    if (rc == 0)
        rc = json_user(&root, text.data, text.len, path, e);
    buf_release(&text);
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
