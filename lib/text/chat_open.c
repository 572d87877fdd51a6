/* chat_open.c - the chat template that a base brings: which of its files and
 * keys it is in. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/utf8.h"
#include "text/chat_parts.h"

void
chat_template_init(struct chat_template *c)
{
    memset(c, 0, sizeof(*c));
    c->time = CHAT_DATE;
    c->tokens = cJSON_CreateObject();
}

void
chat_template_release(struct chat_template *c)
{
    jinja_free(c->usual);
    jinja_free(c->tools);
    cJSON_Delete(c->tokens);
    for (size_t i = 0; i < c->n_foreign; i++)
        free(c->foreign[i].text);
    free(c->foreign);
    memset(c, 0, sizeof(*c));
}

int
chat_template_ok(const struct chat_template *c, struct err *e)
{
    if (c->why.code < 0) {
        *e = c->why;
        return e->code;
    }
    if (!c->usual && c->found)
        return err_set(e, ERR_DATA, "several chat templates beside the "
                       "tokenizer, and none with the name default");
    if (!c->usual)
        return err_set(e, ERR_DATA, "no chat template beside the tokenizer "
                       "(expected chat_template.jinja, or chat_template in "
                       "tokenizer_config.json; --chat-template names one)");
    return 0;
}

int
chat_template_date(struct chat_template *c, const char *day, struct err *e)
{
    struct tm tm = { 0 };
    const char *end = strptime(day, "%Y-%m-%d", &tm);
    int of_month = tm.tm_mday;
    time_t when = timegm(&tm); /* moves a day that its month hasn't */

    if (strlen(day) != strlen("YYYY-MM-DD") || !end || *end
        || tm.tm_mday != of_month)
        return err_set(e, ERR_USAGE, "--date (found %s, expected "
                       "YYYY-MM-DD)", day);
    c->time = when;
    return 0;
}

/* ---- templates ---- */

/* Reads a template, which has to be UTF-8. */
static int
read_template(struct jinja **to, const char *text, size_t n,
              const char *where, struct err *e)
{
    size_t valid = utf8_valid(text, n);

    if (valid < n)
        return err_set(e, ERR_DATA, "%s: byte %zu: invalid UTF-8", where,
                       valid);
    return jinja_read(to, text, n, where, e);
}

/* Takes a template instead of the one that there is; what fails is
 * remembered. */
static void
take(struct chat_template *c, struct jinja **to, const char *text, size_t n,
     const char *where)
{
    c->found = true;
    if (c->why.code < 0)
        return;
    jinja_free(*to);
    *to = NULL;
    read_template(to, text, n, where, &c->why);
}

/* One of several; a name that neither is for is passed over. */
static void
take_named(struct chat_template *c, const char *name, const cJSON *v,
           const char *where)
{
    const char *text = cJSON_GetStringValue(v);
    struct jinja **to = !name ? NULL :
                        strcmp(name, "default") == 0 ? &c->usual :
                        strcmp(name, "tool_use") == 0 ? &c->tools : NULL;

    if (!name || !text)
        err_set(&c->why, ERR_DATA, "%s: chat_template (expected a text, or "
                "names and texts)", where);
    else if (to)
        take(c, to, text, strlen(text), where);
}

/* The key chat_template: a text, or [{"name":..., "template":...}], or
 * {NAME: TEXT}. */
static void
take_key(struct chat_template *c, const cJSON *v, const char *where)
{
    const cJSON *item;

    if (!v || cJSON_IsNull(v))
        return;
    c->found = true;
    if (cJSON_IsString(v))
        take(c, &c->usual, v->valuestring, strlen(v->valuestring), where);
    else if (!cJSON_IsArray(v) && !cJSON_IsObject(v))
        take_named(c, NULL, NULL, where);
    cJSON_ArrayForEach(item, v) {
        if (c->why.code < 0)
            return;
        if (cJSON_IsObject(v))
            take_named(c, item->string, item, where);
        else
            take_named(c, cJSON_GetStringValue(
                cJSON_GetObjectItemCaseSensitive(item, "name")),
                cJSON_GetObjectItemCaseSensitive(item, "template"), where);
    }
}

/* A file beside the tokenizer, which need not be there. */
static void
take_file(struct chat_template *c, struct jinja **to,
          const struct chat_files *f, const char *name)
{
    char *path = path_join(f->where, name);
    bool found = false;
    struct buf text;
    struct err e;

    buf_init(&text);
    if (f->read(f, name, JINJA_MAX_TEMPLATE, &text, &found, &e) < 0) {
        c->found = true;
        c->why = e;
    } else if (found) {
        take(c, to, text.data, text.len, path);
    }
    buf_release(&text);
    free(path);
}

/* ---- what is beside it ---- */

/* An object in a file, which need not be there: NULL then. */
static cJSON *
read_object(struct chat_template *c, const struct chat_files *f,
            const char *name, const char *path)
{
    bool found = false;
    cJSON *o = NULL;
    struct buf text;
    struct err e;
    int rc;

    buf_init(&text);
    rc = f->read(f, name, CHAT_MAX_CONFIG, &text, &found, &e);
    if (rc == 0 && found)
        rc = json_user(&o, text.data, text.len, path, &e);
    if (rc == 0 && found && !cJSON_IsObject(o))
        rc = err_set(&e, ERR_DATA, "%s: no JSON object", path);
    buf_release(&text);
    if (rc == 0)
        return o;
    cJSON_Delete(o);
    c->found = true;
    if (c->why.code == 0)
        c->why = e;
    return NULL;
}

static void
read_legacy(struct chat_template *c, const struct tokenizer *t,
            const struct chat_files *f)
{
    static const char in_map[] = "special_tokens_map.json";
    static const char in_added[] = "added_tokens.json";
    char *map = path_join(f->where, in_map);
    char *added = path_join(f->where, in_added);
    cJSON *o = read_object(c, f, in_map, map);

    chat_config_read(c, t, o, map);
    cJSON_Delete(o);
    o = read_object(c, f, in_added, added);
    chat_config_added(c, t, o, added);
    cJSON_Delete(o);
    free(added);
    free(map);
}

static void
read_config(struct chat_template *c, const struct tokenizer *t,
            const struct chat_files *f)
{
    static const char name[] = "tokenizer_config.json";
    char *path = path_join(f->where, name);
    cJSON *o = read_object(c, f, name, path);

    if (!c->found)
        take_key(c, cJSON_GetObjectItemCaseSensitive(o, "chat_template"),
                 path);
    chat_config_read(c, t, o, path);
    if (!cJSON_GetObjectItemCaseSensitive(o, "added_tokens_decoder"))
        read_legacy(c, t, f);
    chat_config_end(c, t, o, path);
    cJSON_Delete(o);
    free(path);
}

/* What the templates and tokens are called by: their bytes. */
static void
name_it(struct chat_template *c)
{
    char *tokens = cJSON_PrintUnformatted(c->tokens);
    struct buf b;

    buf_init(&b);
    buf_addf(&b, "%s\n%lld\n", tokens, (long long)c->time);
    if (c->usual)
        buf_addstr(&b, jinja_source(c->usual));
    buf_addc(&b, 0);
    if (c->tools)
        buf_addstr(&b, jinja_source(c->tools));
    c->id = id_of(b.data, b.len);
    buf_release(&b);
    cJSON_free(tokens);
}

/* The file of a directory. */
static int
read_beside(const struct chat_files *f, const char *name, uint64_t max,
            struct buf *text, bool *found, struct err *e)
{
    char *path = path_join(f->where, name);
    int rc = 0;

    *found = path_exists(path);
    if (*found)
        rc = file_read_regular(text, path, max, e);
    free(path);
    return rc;
}

int
chat_template_open(struct chat_template *c, const char *tokenizer,
                   const struct tokenizer *t, const char *path,
                   struct err *e)
{
    char *dir = path_parent(tokenizer);
    struct chat_files beside = { .where = dir, .read = read_beside };
    int rc = chat_template_read(c, &beside, t, path, e);

    free(dir);
    return rc;
}

int
chat_template_read(struct chat_template *c, const struct chat_files *f,
                   const struct tokenizer *t, const char *path,
                   struct err *e)
{
    struct buf own;
    int rc = 0;

    buf_init(&own);
    if (path) {
        rc = file_read_regular(&own, path, JINJA_MAX_TEMPLATE, e);
        if (rc == 0)
            rc = read_template(&c->usual, own.data, own.len, path, e);
        c->found = true;
    } else {
        take_file(c, &c->usual, f, "chat_template.jinja");
        take_file(c, &c->usual, f, "additional_chat_templates/"
                  "default.jinja");
        take_file(c, &c->tools, f, "additional_chat_templates/"
                  "tool_use.jinja");
    }
    read_config(c, t, f);
    name_it(c);
    buf_release(&own);
    return rc;
}
