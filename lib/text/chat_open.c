/* chat_open.c - the chat template that a base brings, and its tokens. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"

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
    memset(c, 0, sizeof(*c));
}

int
chat_template_ok(const struct chat_template *c, struct err *e)
{
    if (c->why.code < 0) {
        *e = c->why;
        return e->code;
    }
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

/* ---- special tokens ---- */

/* The tokens that an object names, as strings or as objects with content;
 * those that are known stay. */
static void
read_tokens(struct chat_template *c, const cJSON *o)
{
    static const char *const name[] = { "bos_token", "eos_token",
                                        "unk_token", "sep_token",
                                        "pad_token", "cls_token",
                                        "mask_token" };
    const cJSON *v;

    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        v = cJSON_GetObjectItemCaseSensitive(o, name[i]);
        if (cJSON_IsObject(v))
            v = cJSON_GetObjectItemCaseSensitive(v, "content");
        if (cJSON_IsString(v) && !cJSON_HasObjectItem(c->tokens, name[i]))
            cJSON_AddStringToObject(c->tokens, name[i], v->valuestring);
    }
}

/* ---- templates ---- */

/* Takes a template, unless there is one; what fails is remembered. */
static void
take(struct chat_template *c, struct jinja **to, const char *text, size_t n,
     const char *where)
{
    if (*to || c->why.code < 0)
        return;
    c->found = true;
    jinja_read(to, text, n, where, &c->why);
}

/* The key chat_template: a text, or [{"name":..., "template":...}]. */
static void
take_key(struct chat_template *c, const cJSON *v, const char *where)
{
    const cJSON *item, *name, *text;

    if (cJSON_IsString(v))
        take(c, &c->usual, v->valuestring, strlen(v->valuestring), where);
    cJSON_ArrayForEach(item, v) {
        name = cJSON_GetObjectItemCaseSensitive(item, "name");
        text = cJSON_GetObjectItemCaseSensitive(item, "template");
        if (!cJSON_IsString(name) || !cJSON_IsString(text))
            continue;
        if (strcmp(name->valuestring, "default") == 0)
            take(c, &c->usual, text->valuestring, strlen(text->valuestring),
                 where);
        else if (strcmp(name->valuestring, "tool_use") == 0)
            take(c, &c->tools, text->valuestring, strlen(text->valuestring),
                 where);
    }
}

/* A file beside the tokenizer, which need not be there. */
static void
take_file(struct chat_template *c, struct jinja **to, const char *dir,
          const char *name)
{
    char *path = path_join(dir, name);
    struct buf text;
    struct err e;

    buf_init(&text);
    if (path_exists(path)) {
        if (file_read_regular(&text, path, JINJA_MAX_TEMPLATE, &e) == 0) {
            take(c, to, text.data, text.len, path);
        } else {
            c->found = true;
            c->why = e;
        }
    }
    buf_release(&text);
    free(path);
}

/* tokenizer_config.json or special_tokens_map.json. */
static void
read_config(struct chat_template *c, const char *dir, const char *name,
            bool templates)
{
    char *path = path_join(dir, name);
    cJSON *o = NULL;
    struct err e;

    if (path_exists(path)) {
        if (json_user_file(&o, path, CHAT_MAX_CONFIG, &e) == 0) {
            read_tokens(c, o);
            if (templates)
                take_key(c, cJSON_GetObjectItemCaseSensitive(
                    o, "chat_template"), path);
        } else if (c->why.code == 0) {
            c->found = true;
            c->why = e;
        }
    }
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

int
chat_template_open(struct chat_template *c, const char *tokenizer,
                   const char *path, struct err *e)
{
    char *dir = path_parent(tokenizer);
    struct buf own;
    int rc = 0;

    buf_init(&own);
    if (path) {
        rc = file_read_regular(&own, path, JINJA_MAX_TEMPLATE, e);
        if (rc == 0)
            rc = jinja_read(&c->usual, own.data, own.len, path, e);
        c->found = true;
    } else {
        take_file(c, &c->usual, dir, "chat_template.jinja");
        take_file(c, &c->tools, dir,
                  "additional_chat_templates/tool_use.jinja");
    }
    read_config(c, dir, "tokenizer_config.json", !path);
    read_config(c, dir, "special_tokens_map.json", false);
    name_it(c);
    buf_release(&own);
    free(dir);
    return rc;
}
