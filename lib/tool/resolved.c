/* resolved.c - option values as others read them: the provenance line and a
 * run directory's config.json. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/word.h"
#include "tool/internal.h"

static const char *
id_for(const char *const *ids, const char *name)
{
    for (; ids != NULL && *ids != NULL; ids += 2) {
        if (strcmp(*ids, name) == 0)
            return ids[1];
    }
    return NULL;
}

char *
tool_prov(const struct args *args, const void *opts, const char *const *ids)
{
    const struct tool *t = args->tool;
    struct buf b, v;
    char *line;

    if (args->no_prov)
        return NULL;
    buf_init(&b);
    buf_init(&v);
    buf_addf(&b, "%s %s", t->name, tool_version());
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        const char *id = id_for(ids, o->name);

        if (!o->output && id == NULL)
            continue;
        buf_reset(&v);
        value_format(o, opts, &v);
        if (id == NULL && v.len == 0)
            continue;
        buf_addf(&b, " %s=", o->name);
        word_put(&b, id ? id : v.data, id ? strlen(id) : v.len);
    }
    line = mem_strdup(b.data);
    buf_release(&b);
    buf_release(&v);
    return line;
}

/* JSON has only Unicode: other bytes of a path are shown, as messages show
 * them. */
static void
put_string(struct buf *out, const char *s)
{
    size_t n = strlen(s);
    char *shown;

    if (utf8_valid(s, n) == n) {
        json_put_string(out, s, n);
        return;
    }
    shown = mem_array(n + 1, 4);
    err_escape(shown, 4 * (n + 1), s);
    json_put_string(out, shown, strlen(shown));
    free(shown);
}

static void
put_list(struct buf *out, const struct opt_list *list)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_addstr(out, i ? ", " : "");
        put_string(out, list->item[i]);
    }
    buf_addc(out, ']');
}

static void
put_value(struct buf *out, const struct opt *o, const void *opts)
{
    const void *at = (const char *)opts + o->offset;
    bool text = o->type == OPT_STRING || o->type == OPT_NAME;
    struct buf v;

    buf_init(&v);
    value_format(o, opts, &v);
    if (o->type == OPT_LIST || o->type == OPT_WORDS)
        put_list(out, at);
    else if (text && *(const char *const *)at == NULL)
        buf_addstr(out, "null");
    else if (text || o->type == OPT_CHOICE)
        put_string(out, v.data);
    else if (o->type == OPT_EVERY
             && ((const struct opt_every *)at)->seconds > 0)
        put_string(out, v.data);
    else if (o->type == OPT_SHARE
             && ((const struct opt_share *)at)->percent > 0)
        put_string(out, v.data);
    else if ((o->type == OPT_U64 || o->type == OPT_SIZE)
             && *(const uint64_t *)at > (uint64_t)OPT_MAX_EXACT)
        put_string(out, v.data);
    else
        buf_addstr(out, v.data);
    buf_release(&v);
}

void
tool_json(const struct args *args, const void *opts, bool output_only,
          struct buf *out)
{
    const char *comma = "";

    for (const struct opt *o = args->tool->opts; o->name != NULL; o++) {
        bool unset = o->def == NULL && !args->given[o - args->tool->opts]
                     && (o->type == OPT_U64 || o->type == OPT_DOUBLE
                         || o->type == OPT_SIZE);

        if (o->type == OPT_CONFIG || (output_only && !o->output))
            continue;
        buf_addf(out, "%s\"%s\": ", comma, o->name);
        if (unset)
            buf_addstr(out, "null");
        else
            put_value(out, o, opts);
        comma = ", ";
    }
}
