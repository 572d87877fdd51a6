/* chat.c - renders a conversation, and finds what of it is learned.
 *
 * Where a template has no generation tags, an assistant's turn is the bytes
 * that it wrote in that message's turn. How much of its beginning is the
 * prompt's is found by rendering the messages before it with
 * add_generation_prompt: if that is how the whole begins, it ends where
 * learning starts. Else (templates that drop the thinking of earlier turns,
 * or write more for a prompt than for a turn) its end, behind all turns, is
 * compared with the beginning of the turn. Turns behind the same role that
 * begin alike are not rendered again.
 */
#include "text/chat_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A beginning of a turn. */
struct chat_header {
    const char *after; /* the role before */
    size_t at, n;
};

void
chat_init(struct chat *c)
{
    memset(c, 0, sizeof(*c));
    c->vars = jinja_vars_new();
    jinja_text_init(&c->text);
    jinja_text_init(&c->prompt);
    c->header = mem_array(CHAT_MAX_HEADERS, sizeof(c->header[0]));
}

void
chat_release(struct chat *c)
{
    jinja_vars_free(c->vars);
    jinja_text_release(&c->text);
    jinja_text_release(&c->prompt);
    free(c->piece);
    free(c->message);
    free(c->header);
    memset(c, 0, sizeof(*c));
}

void
chat_begin(struct chat *c, const struct chat_template *of)
{
    const cJSON *token;

    c->of = of;
    c->n_messages = 0;
    c->has_tools = false;
    jinja_vars_clear(c->vars);
    jinja_set_time(c->vars, of->time);
    jinja_set_none(c->vars, "tools");
    jinja_set_none(c->vars, "documents");
    jinja_set_bool(c->vars, "add_generation_prompt", false);
    cJSON_ArrayForEach(token, of->tokens)
        if (cJSON_IsString(token))
            jinja_set_string(c->vars, token->string, token->valuestring,
                             strlen(token->valuestring));
}

int
chat_tools(struct chat *c, const char *json, size_t n, struct err *e)
{
    c->has_tools = true;
    return jinja_set_json(c->vars, "tools", json, n, JINJA_TOOLS, e);
}

int
chat_variables(struct chat *c, const char *json, size_t n, struct err *e)
{
    return jinja_set_all(c->vars, "chat_template_kwargs", json, n, e);
}

static int
refuse_weight(const cJSON *weight, struct err *e)
{
    char *found = cJSON_PrintUnformatted(weight);

    err_set(e, ERR_DATA, "weight (found %.64s, expected 0 or 1)",
            found ? found : "nothing");
    cJSON_free(found);
    return e->code;
}

/* Whether a message of the assistant's is learned, by the "weight" that
 * OpenAI's and Mistral's data sets give it in json: 0 or 1. */
static int
read_weight(bool *learned, const char *json, size_t n, struct err *e)
{
    const cJSON *weight;
    cJSON *root = NULL;
    int rc = json ? json_user(&root, json, n, "message", e) : 0;

    *learned = true;
    weight = cJSON_GetObjectItemCaseSensitive(root, "weight");
    if (weight != NULL && cJSON_IsNumber(weight) && weight->valuedouble == 0)
        *learned = false;
    else if (weight != NULL
             && !(cJSON_IsNumber(weight) && weight->valuedouble == 1))
        rc = refuse_weight(weight, e);
    cJSON_Delete(root);
    return rc;
}

int
chat_add(struct chat *c, const char *role, size_t n_role,
         const char *content, size_t n_content, const char *json,
         size_t n_json, struct err *e)
{
    struct chat_message *m;
    int rc;

    if (c->n_messages == c->cap_messages) {
        c->cap_messages = c->cap_messages * 2 + 16;
        c->message = mem_grow(c->message,
                              c->cap_messages * sizeof(c->message[0]));
    }
    m = &c->message[c->n_messages++];
    memset(m, 0, sizeof(*m));
    m->assistant = n_role == 9 && memcmp(role, "assistant", 9) == 0;
    m->system = n_role == 6 && memcmp(role, "system", 6) == 0;
    memcpy(m->role, role, n_role < 32 ? n_role : 32);
    rc = jinja_add_message(c->vars, role, n_role, content, n_content, json,
                           n_json, e);
    if (rc == 0)
        m->says = jinja_message_says(c->vars, content, n_content, &m->calls);
    if (rc == 0 && m->assistant
        && read_weight(&m->learned, json, n_json, e) < 0)
        rc = err_prefix(e, "messages[%zu]", c->n_messages - 1);
    return rc;
}

/* ---- where the assistant's turns begin ---- */

/* The first bytes of every turn, as far as they are together. */
static void
find_turns(struct chat *c)
{
    const struct jinja_text *t = &c->text;
    struct chat_message *m;
    size_t from = 0;

    for (size_t i = 0; i < t->n_spans; from = t->span[i++].end) {
        if (t->span[i].turn == 0)
            continue;
        m = &c->message[t->span[i].turn - 1];
        if (m->n == 0)
            m->at = from;
        if (m->at + m->n == from)
            m->n += t->span[i].end - from;
    }
}

/* How many bytes of the turn's beginning are the template's own. */
static size_t
template_bytes(const struct jinja_text *t, size_t at, size_t n)
{
    size_t i = 0;

    while (i < t->n_spans && t->span[i].end <= at)
        i++;
    for (; i < t->n_spans && t->span[i].end < at + n; i++)
        if (t->span[i].origin != JINJA_TEMPLATE)
            return (i ? t->span[i - 1].end : 0) > at ?
                   t->span[i - 1].end - at : 0;
    if (i < t->n_spans && t->span[i].origin != JINJA_TEMPLATE)
        n = i && t->span[i - 1].end > at ? t->span[i - 1].end - at : 0;
    return n;
}

/* The end of the prompt, behind all turns: as far as the turn begins so, or
 * up to where it has all of it in its beginning. */
static size_t
common_header(const struct chat *c, const struct chat_message *m)
{
    const struct jinja_text *p = &c->prompt;
    const char *turn = c->text.text.data + m->at, *end, *found;
    size_t i = p->n_spans, from, left, most, n = 0;

    while (i > 0 && p->span[i - 1].turn == 0)
        i--;
    from = i ? p->span[i - 1].end : 0;
    end = p->text.data + from;
    left = p->text.len - from;
    most = template_bytes(&c->text, m->at, m->n);
    found = left > 0 ? memmem(turn, most, end, left) : NULL;
    if (found)
        return (size_t)(found - turn) + left;
    while (n < most && n < left && end[n] == turn[n])
        n++;
    while (n > 0 && !strchr(">]: \n", turn[n - 1]))
        n--; /* not in the midst of a mark */
    return n;
}

/* Renders the messages before the i-th as a prompt; where that can't be, and
 * where there are none, the whole conversation (*whole). */
static int
render_prompt(struct chat *c, const struct jinja *j, size_t i, bool *whole,
              struct err *e)
{
    struct err refused; /* which is no failure */
    int rc = ERR_DATA;

    if (i > 0)
        rc = jinja_run(j, c->vars, i, &c->prompt, &refused);
    *whole = rc == ERR_DATA;
    if (rc == ERR_LIMIT)
        *e = refused;
    if (*whole)
        rc = jinja_run(j, c->vars, c->n_messages, &c->prompt, e);
    return rc;
}

/* Whether the i-th turn begins as a known one, behind the same role. */
static bool
as_known(const struct chat *c, size_t i)
{
    struct chat_message *m = &c->message[i];
    const char *text = c->text.text.data;
    const struct chat_header *h;

    for (size_t k = 0; i > 0 && k < c->n_headers; k++) {
        h = &c->header[k];
        if (strcmp(h->after, m[-1].role) != 0
            || h->n > template_bytes(&c->text, m->at, m->n)
            || memcmp(text + m->at, text + h->at, h->n) != 0)
            continue;
        m->header = h->n;
        return true;
    }
    return false;
}

static int
find_header(struct chat *c, const struct jinja *j, size_t i, struct err *e)
{
    struct chat_message *m = &c->message[i];
    const struct buf *text = &c->text.text, *prompt = &c->prompt.text;
    bool whole;
    int rc;

    if (as_known(c, i))
        return 0;
    if (c->n_headers == CHAT_MAX_HEADERS)
        return err_set(e, ERR_LIMIT, "over %d ways in which an assistant's "
                       "turn begins", CHAT_MAX_HEADERS);
    rc = render_prompt(c, j, i, &whole, e);
    if (rc < 0)
        return rc;
    if (!whole && prompt->len >= m->at && prompt->len <= m->at + m->n
        && memcmp(prompt->data, text->data, prompt->len) == 0)
        m->header = prompt->len - m->at;
    else
        m->header = common_header(c, m);
    c->header[c->n_headers++] = (struct chat_header){
        .after = i > 0 ? m[-1].role : "", .at = m->at, .n = m->header
    };
    return 0;
}

static int
find_headers(struct chat *c, const struct jinja *j, struct err *e)
{
    int rc = 0;

    find_turns(c);
    c->n_headers = 0;
    jinja_set_bool(c->vars, "add_generation_prompt", true);
    for (size_t i = 0; i < c->n_messages && rc == 0; i++)
        if (c->message[i].assistant && c->message[i].n > 0)
            rc = find_header(c, j, i, e);
    return rc;
}

/* ---- pieces ---- */

static void
add_piece(struct chat *c, size_t from, size_t to, bool loss, bool marks)
{
    if (from >= to)
        return;
    if (c->n == c->cap) {
        c->cap = c->cap * 2 + 64;
        c->piece = mem_grow(c->piece, c->cap * sizeof(c->piece[0]));
    }
    c->piece[c->n++] = (struct template_piece){
        .p = c->text.text.data + from, .n = to - from, .loss = loss,
        .marks = marks
    };
}

/* The bytes of a span, those of the prompt apart. */
static void
add_span(struct chat *c, const struct jinja_span *s, size_t from, bool loss,
         bool marks)
{
    const struct chat_message *m = NULL;
    size_t start = from;

    if (s->turn > 0 && !s->generation)
        m = &c->message[s->turn - 1];
    if (m && loss && m->at + m->header > from)
        start = m->at + m->header < s->end ? m->at + m->header : s->end;
    add_piece(c, from, start, false, marks);
    add_piece(c, start, s->end, loss, marks);
}

/* All pieces; whether any is learned. */
static bool
cut(struct chat *c, bool tagged, bool marks)
{
    const struct jinja_text *t = &c->text;
    const struct chat_message *last = &c->message[c->n_messages - 1];
    const struct jinja_span *s;
    size_t from = 0, at;
    bool loss, any = false;

    c->n = 0;
    for (size_t i = 0; i < t->n_spans; from = t->span[i++].end) {
        s = &t->span[i];
        if (tagged)
            loss = s->generation
                   && (s->turn == 0 || c->message[s->turn - 1].learned);
        else if (s->turn > 0)
            loss = c->message[s->turn - 1].learned;
        else
            loss = last->learned && last->n > 0 && from > last->at;
        at = c->n;
        if (tagged)
            add_piece(c, from, s->end, loss,
                      marks || s->origin == JINJA_TEMPLATE);
        else
            add_span(c, s, from, loss, marks || s->origin ==
                     JINJA_TEMPLATE);
        for (; at < c->n; at++)
            any |= c->piece[at].loss;
    }
    return any;
}

static const struct jinja *
template_for(const struct chat *c)
{
    return c->has_tools && c->of->tools ? c->of->tools : c->of->usual;
}

int
chat_end(struct chat *c, bool marks, bool all, struct err *e)
{
    const struct jinja *j = template_for(c);
    bool tagged = jinja_has_generation(j), assistant = false;
    bool told, learned = false;
    int rc;

    for (size_t i = 0; i < c->n_messages; i++) {
        assistant |= c->message[i].assistant;
        learned |= c->message[i].learned;
    }
    if (!all && !assistant)
        return err_set(e, ERR_DATA, "a conversation without a message of "
                       "the assistant's: nothing is learned (--loss all "
                       "learns all of it)");
    rc = jinja_run(j, c->vars, c->n_messages, &c->text, e);
    if (rc == 0)
        rc = chat_check(c, j, e);
    if (rc < 0)
        return rc;
    told = tagged || find_headers(c, j, e) == 0;
    if (!told && !all)
        return e->code;
    told = (cut(c, tagged, marks) || (assistant && !learned)) && told;
    if (!told && !all)
        return err_set(e, ERR_DATA, "what the assistant says can't be told "
                       "apart in what the chat template makes of it (%s)",
                       tagged ? "nothing is between its generation tags" :
                                "no loop over the messages, no content");
    for (size_t i = 0; i < c->n && !told; i++)
        c->piece[i].loss = true;
    return chat_config_check(c, e);
}

int
chat_prompt(struct chat *c, struct err *e)
{
    const struct jinja *j = template_for(c);
    const struct jinja_text *t = &c->text;
    size_t from = 0;
    int rc;

    jinja_set_bool(c->vars, "add_generation_prompt", true);
    rc = jinja_run(j, c->vars, c->n_messages, &c->text, e);
    if (rc == 0)
        rc = chat_check(c, j, e);
    if (rc < 0)
        return rc;
    c->n = 0;
    for (size_t i = 0; i < t->n_spans; from = t->span[i++].end)
        add_piece(c, from, t->span[i].end, false,
                  t->span[i].origin == JINJA_TEMPLATE);
    return chat_config_check(c, e);
}
