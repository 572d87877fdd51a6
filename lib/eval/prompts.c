/* prompts.c - lines of JSON to prompts; a completion, which each new token may
 * end; and its line of results. */
#include "eval/prompts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/io.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "eval/telling.h"

#define MAX_LINE (16 << 20)
#define MAX_PROMPTS 1000000
#define MAX_STOPS 1000
#define MAX_EDITS 3 /* of a key that is meant by another */

/* The conversation's are what fromjsonl has for one. */
static const char *const chat_keys[] = { "messages", "tools",
                                         "chat_template_kwargs" };
/* And the kinds of check. */
static const char *const keys[] = { "id", "prompt", "max_tokens", "stop",
                                    "messages", "tools",
                                    "chat_template_kwargs", "adapter",
                                    "cluster", "program" };
static const char *const programs[] = { "joined", "completion", "fenced" };

static int
check_key(const char *key, const char *where, struct err *e)
{
    struct nearest x = nearest_to(key, strlen(key), MAX_EDITS);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        nearest_offer(&x, keys[i]);
    for (int k = 0; k < CHECK_KINDS; k++)
        nearest_offer(&x, check_name(k));
    if (x.name != NULL && x.edits == 0)
        return 0;
    return err_set(e, ERR_DATA, "%s: unknown key '%s'%s%s%s", where, key,
                   x.name ? " (did you mean '" : "", x.name ? x.name : "",
                   x.name ? "'?)" : "");
}

static int
check_keys(const cJSON *o, const char *where, struct err *e)
{
    const cJSON *v;
    int rc = 0;

    if (!cJSON_IsObject(o))
        return err_set(e, ERR_DATA, "%s: not a JSON object", where);
    cJSON_ArrayForEach(v, o) {
        rc = check_key(v->string, where, e);
        if (rc < 0)
            break;
    }
    return rc;
}

static int
read_stop(struct prompt *p, const cJSON *v, const char *where,
          struct err *e)
{
    int n = cJSON_IsArray(v) ? cJSON_GetArraySize(v) : 1;

    if (v == NULL)
        return 0;
    if (n > MAX_STOPS)
        return err_set(e, ERR_LIMIT, "%s: %d items of stop are over the limit "
                       "of %d", where, n, MAX_STOPS);
    p->stop = mem_array((size_t)n, sizeof(*p->stop));
    for (int i = 0; i < n; i++) {
        const cJSON *s = cJSON_IsArray(v) ? cJSON_GetArrayItem(v, i) : v;

        if (!cJSON_IsString(s) || *s->valuestring == '\0')
            return err_set(e, ERR_DATA, "%s: stop is not a string, or an "
                           "empty one", where);
        p->stop[p->n_stop++] = mem_strdup(s->valuestring);
    }
    return 0;
}

/* What there is to go on from: a text or a conversation. */
static int
read_text(struct prompt *p, const cJSON *o, const char *where, struct err *e)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(o, "prompt");
    const char *extra = NULL;
    const cJSON *v;
    cJSON *chat;

    if (cJSON_IsString(text) && *text->valuestring != '\0') {
        p->len = strlen(text->valuestring);
        p->text = mem_strdup(text->valuestring);
    }
    chat = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof(chat_keys) / sizeof(chat_keys[0]); i++) {
        v = cJSON_GetObjectItemCaseSensitive(o, chat_keys[i]);
        if (v == NULL)
            continue;
        extra = chat_keys[i];
        cJSON_AddItemReferenceToObject(chat, extra, (cJSON *)v);
    }
    if (cJSON_HasObjectItem(chat, "messages"))
        p->chat = cJSON_PrintUnformatted(chat);
    cJSON_Delete(chat);
    if (p->text != NULL && extra != NULL)
        return err_set(e, ERR_DATA, "%s: both prompt and %s", where, extra);
    if (p->text == NULL && p->chat == NULL)
        return err_set(e, ERR_DATA, "%s: no prompt", where);
    return 0;
}

static int
read_adapter(struct prompt *p, const cJSON *v, bool adapters,
             const char *where, struct err *e)
{
    if (v == NULL)
        return 0;
    if (!adapters)
        return err_set(e, ERR_DATA, "%s: adapter (only generate lets prompts "
                       "choose one)", where);
    if (!cJSON_IsNull(v) && (!cJSON_IsString(v) || *v->valuestring == '\0'))
        return err_set(e, ERR_DATA, "%s: adapter is no name, nor null",
                       where);
    p->adapter = mem_strdup(cJSON_IsNull(v) ? "" : v->valuestring);
    return 0;
}

/* What its checks take for its program, and what it has in common with others.
 */
static int
read_use(struct prompt *p, const cJSON *o, const char *where, struct err *e)
{
    const cJSON *cluster = cJSON_GetObjectItemCaseSensitive(o, "cluster");
    const cJSON *program = cJSON_GetObjectItemCaseSensitive(o, "program");
    int i = 0;

    if (cluster != NULL && !cJSON_IsString(cluster))
        return err_set(e, ERR_DATA, "%s: cluster is not a string", where);
    if (cluster != NULL)
        p->cluster = mem_strdup(cluster->valuestring);
    p->program = p->chat != NULL ? PROGRAM_FENCED : PROGRAM_JOINED;
    if (program == NULL)
        return 0;
    while (i < 3 && !(cJSON_IsString(program)
                      && strcmp(program->valuestring, programs[i]) == 0))
        i++;
    if (i == 3)
        return err_set(e, ERR_DATA, "%s: program is none of joined, "
                       "completion and fenced", where);
    p->program = (enum program)i;
    if (p->program == PROGRAM_JOINED && p->chat != NULL)
        return err_set(e, ERR_DATA, "%s: program joined: a conversation is "
                       "no beginning of a program", where);
    return 0;
}

/* What every prompt has: its name and how long its completion may be. */
static int
read_head(struct prompt *p, const cJSON *o, uint64_t line,
          const struct prompts_opts *opts, const char *where, struct err *e)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "id");
    const cJSON *max = cJSON_GetObjectItemCaseSensitive(o, "max_tokens");
    char number[24];

    if (id != NULL && !cJSON_IsString(id))
        return err_set(e, ERR_DATA, "%s: id is not a string", where);
    if (max != NULL && !(cJSON_IsNumber(max) && max->valuedouble >= 1
                         && max->valuedouble <= 1048576
                         && max->valuedouble == floor(max->valuedouble)))
        return err_set(e, ERR_DATA, "%s: bad max_tokens", where);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)line);
    p->id = mem_strdup(id ? id->valuestring : number);
    p->max_tokens = max ? (uint32_t)max->valuedouble : opts->max_tokens;
    return 0;
}

static int
read_prompt(struct prompt *p, const cJSON *o, uint64_t line,
            const struct prompts_opts *opts, const char *where,
            struct err *e)
{
    int rc = check_keys(o, where, e);

    if (rc < 0)
        return rc;
    rc = read_text(p, o, where, e);
    if (rc == 0)
        rc = read_adapter(p, cJSON_GetObjectItemCaseSensitive(o, "adapter"),
                          opts->adapters, where, e);
    if (rc == 0)
        rc = read_head(p, o, line, opts, where, e);
    if (rc == 0)
        rc = read_use(p, o, where, e);
    if (rc == 0)
        rc = read_stop(p, cJSON_GetObjectItemCaseSensitive(o, "stop"), where,
                       e);
    return rc < 0 ? rc : check_read(&p->checks, o, where, e);
}

/* Two prompts of one name can't be told apart in the results, and draw the
 * same numbers. */
static int
check_name_is_new(struct map *ids, const struct prompt *p, const char *where,
                  struct err *e)
{
    bool added;

    map_put(ids, p->id, strlen(p->id), 0, &added);
    return added ? 0 : err_set(e, ERR_DATA, "%s: two prompts have the id "
                               "'%s'", where, p->id);
}

static struct prompt *
add_prompt(struct prompts *p)
{
    if (p->n == p->cap) {
        p->cap = 2 * p->cap + 16;
        p->item = mem_grow(p->item, p->cap * sizeof(*p->item));
    }
    memset(&p->item[p->n], 0, sizeof(*p->item));
    return &p->item[p->n++];
}

/* What a file is read with. */
struct reading {
    const struct prompts_opts *o;
    struct suite suite;
    struct map ids;
    const char *name;
};

static int
read_line(struct prompts *p, struct reading *r, const struct buf *line,
          uint64_t number, struct err *e)
{
    size_t skip = number == 1 ? in_mark(line) : 0;
    const char *text = line->data + skip;
    size_t n = line->len - skip;
    char where[256];
    cJSON *o = NULL;
    int rc;

    if (strspn(text, " \t\r") == n)
        return 0;
    snprintf(where, sizeof(where), "%s:%llu", r->name,
             (unsigned long long)number);
    if (p->n == MAX_PROMPTS)
        return err_set(e, ERR_LIMIT, "%s: over %d prompts", where,
                       MAX_PROMPTS);
    rc = json_user(&o, text, n, where, e);
    if (rc == 0)
        rc = suite_line(&r->suite, &o, where, e);
    if (rc > 0) {
        rc = read_prompt(add_prompt(p), o, number, r->o, where, e);
        if (rc == 0)
            rc = check_name_is_new(&r->ids, &p->item[p->n - 1], where, e);
    } else if (rc == 0) {
        p->left_out++;
    }
    cJSON_Delete(o);
    return rc;
}

int
prompts_read(struct prompts *p, const char *path,
             const struct prompts_opts *o, struct err *e)
{
    bool got = true, ended;
    uint64_t number = 0;
    struct reading r = { .o = o };
    struct buf line;
    struct in in;
    int rc;

    memset(p, 0, sizeof(*p));
    rc = in_open(&in, path, e);
    if (rc < 0)
        return rc;
    r.name = in.name;
    buf_init(&line);
    map_init(&r.ids);
    suite_init(&r.suite, o->suite);
    while (rc == 0) {
        rc = in_line(&in, &line, MAX_LINE, &got, &ended, e);
        if (rc < 0 || !got)
            break;
        number++;
        if (!ended)
            rc = err_set(e, ERR_DATA, "%s:%llu: the last line has no "
                         "newline", in.name, (unsigned long long)number);
        else
            rc = read_line(p, &r, &line, number, e);
    }
    suite_release(&r.suite);
    map_release(&r.ids);
    buf_release(&line);
    in_release(&in);
    if (rc < 0)
        prompts_release(p);
    return rc;
}

void
prompts_release(struct prompts *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct prompt *q = &p->item[i];

        for (size_t k = 0; k < q->n_stop; k++)
            free(q->stop[k]);
        free(q->stop);
        free(q->id);
        free(q->text);
        free(q->chat);
        free(q->adapter);
        free(q->cluster);
        check_release(&q->checks);
    }
    free(p->item);
    memset(p, 0, sizeof(*p));
}

bool
prompt_checks(const struct prompt *p)
{
    for (int k = 0; k < CHECK_KINDS; k++) {
        if (p->checks.n[k] > 0)
            return true;
    }
    return false;
}

/* What generate's callback needs. */
struct completing {
    struct completion *c;
    const struct codec *codec;
    struct telling telling;
};

static bool
take_token(void *ctx, int32_t id)
{
    struct completing *s = ctx;
    struct buf bytes;
    bool stop;

    s->c->n_tokens++;
    if (s->codec->ends(s->codec->ctx, id)) {
        s->c->finish = FINISH_END;
        return false;
    }
    buf_init(&bytes);
    s->codec->decode(s->codec->ctx, id, &bytes);
    stop = telling_add(&s->telling, bytes.data, bytes.len, &s->c->text);
    buf_release(&bytes);
    if (stop)
        s->c->finish = FINISH_STOP;
    return !stop;
}

int
prompt_complete(struct completion *c, const struct prompt *p,
                struct generator *g, const struct codec *codec,
                const struct sampling *s, struct err *e)
{
    struct completing ctx = { .c = c, .codec = codec };
    struct sampling own = *s;
    struct ids ids;
    int rc;

    memset(c, 0, sizeof(*c));
    buf_init(&c->text);
    buf_init(&c->why);
    ids_init(&ids);
    telling_begin(&ctx.telling, (const char *const *)p->stop, p->n_stop,
                  TELL_BYTES);
    c->finish = FINISH_LENGTH;
    own.max_tokens = p->max_tokens;
    own.site = rng_site(p->id);
    rc = codec->encode(codec->ctx, p, &ids, e);
    c->n_prompt = (uint32_t)ids.n;
    if (rc == 0)
        rc = generate(g, (const int32_t *)ids.id, ids.n, &own, take_token,
                      &ctx, e);
    telling_end(&ctx.telling, &c->text);
    telling_release(&ctx.telling);
    if (rc == 0)
        c->result = check_run(&p->checks, c->text.data, c->text.len);
    else
        err_prefix(e, "prompt %s", p->id);
    ids_release(&ids);
    if (rc < 0)
        completion_release(c);
    return rc;
}

void
completion_release(struct completion *c)
{
    buf_release(&c->text);
    buf_release(&c->why);
    memset(c, 0, sizeof(*c));
}

const char *
finish_name(enum finish f)
{
    static const char *const name[] = { "end", "stop", "length" };

    return name[f];
}

void
completion_put_text(struct buf *out, const struct buf *text)
{
    if (utf8_valid(text->data, text->len) == text->len) {
        json_put_string(out, text->data, text->len);
        return;
    }
    buf_addstr(out, "{\"b64\": \"");
    b64_put(out, text->data, text->len);
    buf_addstr(out, "\"}");
}

void
completion_json(const struct completion *c, const struct prompt *p,
                const char *model, uint32_t sample, uint32_t samples,
                struct buf *out)
{
    const char *comma = "";

    buf_addstr(out, "{\"id\": ");
    json_put_string(out, p->id, strlen(p->id));
    buf_addf(out, ", \"model\": \"%s\"", model);
    if (samples > 1)
        buf_addf(out, ", \"sample\": %u", sample);
    if (sample == 0) {
        buf_addstr(out, ", \"prompt\": ");
        if (p->chat != NULL)
            buf_addstr(out, p->chat);
        else
            json_put_string(out, p->text, p->len);
    }
    buf_addstr(out, ", \"completion\": ");
    completion_put_text(out, &c->text);
    buf_addf(out, ", \"finish\": \"%s\", \"prompt_tokens\": %u, "
             "\"tokens\": %u, \"checks\": {", finish_name(c->finish),
             c->n_prompt, c->n_tokens);
    for (int k = 0; k < CHECK_KINDS; k++) {
        if (p->checks.n[k] == 0)
            continue;
        buf_addf(out, "%s\"%s\": %s", comma, check_name(k),
                 c->result.held[k] ? "true" : "false");
        comma = ", ";
    }
    buf_addf(out, "}, \"passed\": %s", !prompt_checks(p) ? "null"
             : c->result.passed ? "true" : "false");
    if (c->why.len > 0) {
        buf_addstr(out, ", \"why\": ");
        json_put_string(out, c->why.data, c->why.len);
    }
    buf_addc(out, '}');
}
