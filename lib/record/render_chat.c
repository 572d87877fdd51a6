/* render_chat.c - a conversation as its base's chat template spells it: what
 * the record has goes to text/chat.h, whose pieces are the field text.
 *
 * One over the limit falls into parts of exchanges: from a user's message, or
 * the system messages right before it, to the last before the next one that
 * follows an answer. Each part is a conversation of its own to the template:
 * the system messages that the whole begins with, its tools, and as many
 * exchanges as fit. So every answer is learned once, and nothing of another
 * part is shown.
 */
#include <string.h>

#include "base/mem.h"
#include "record/render_parts.h"

struct conversation {
    const struct render *r;
    struct render_worker *w;
    const struct tokens_origin *origin;
    struct render_result *out;
    const struct text_field *tools, *more; /* or NULL */
    struct template_input in;
};

/* A field that holds JSON; null is as good as none. */
static const struct text_field *
json_field(const struct render_worker *w, const char *name)
{
    const struct text_field *f = text_get(&w->rec, name);
    bool null = f && f->len == 4 && memcmp(f->data, "null", 4) == 0;

    return null ? NULL : f;
}

/* The messages of fields [from, to). */
static int
add_messages(struct render_worker *w, size_t from, size_t to, struct err *e)
{
    struct text_message m;
    int rc = 0;

    while (rc == 0 && from < to && text_next_message(&w->rec, &from, &m))
        rc = chat_add(&w->chat, m.role->data, m.role->len, m.content->data,
                      m.content->len, m.json ? m.json->data : NULL,
                      m.json ? m.json->len : 0, e);
    return rc;
}

/* Makes w->chat of the first messages up to `head` and of [from, to). */
static int
lay_out(const struct conversation *c, size_t head, size_t from, size_t to,
        struct err *e)
{
    struct chat *chat = &c->w->chat;
    int rc = 0;

    chat_begin(chat, c->r->chat);
    if (c->tools)
        rc = chat_tools(chat, c->tools->data, c->tools->len, e);
    if (rc == 0 && c->more)
        rc = chat_variables(chat, c->more->data, c->more->len, e);
    if (rc == 0)
        rc = add_messages(c->w, 0, head, e);
    if (rc == 0)
        rc = add_messages(c->w, from, to, e);
    return rc < 0 ? rc : chat_end(chat, c->r->marks, c->r->loss == LOSS_ALL,
                               e);
}

/* Encodes w->chat; whether that fits. */
static bool
encode(struct conversation *c)
{
    struct render_worker *w = c->w;
    uint64_t lost = w->en.n_lost;

    c->in.field[FIELD_TEXT] = (struct template_value){
        w->chat.piece, w->chat.n
    };
    c->in.most = c->r->max_tokens;
    template_encode(&c->r->template[TEMPLATE_CHAT], &w->en, &c->in, &w->out);
    w->lost = w->en.n_lost - lost;
    return c->r->max_tokens == 0 || w->out.ids.n <= c->r->max_tokens;
}

/* ---- what is left out ---- */

/* Counts the messages that the template writes nothing of, rightly. */
static void
leave_passed(const struct conversation *c)
{
    struct text_message m;
    size_t at = 0;

    for (size_t i = 0; text_next_message(&c->w->rec, &at, &m); i++)
        if (chat_passed(&c->w->chat, i))
            render_leave(c->out, RENDER_SYSTEM, 0,
                         render_measure(c->r, c->w, m.content->data,
                                        m.content->len));
}

/* Counts the exchange of fields [from, to), which is too long. */
static void
leave_exchange(const struct conversation *c, size_t from, size_t to)
{
    struct text_message m;
    uint64_t tokens = 0;

    while (from < to && text_next_message(&c->w->rec, &from, &m)) {
        tokens += render_measure(c->r, c->w, m.content->data,
                                 m.content->len);
        if (m.json)
            tokens += render_measure(c->r, c->w, m.json->data, m.json->len);
    }
    render_leave(c->out, RENDER_LONG, 0, tokens);
}

/* ---- exchanges ---- */

static void
add_exchange(struct render_exchanges *x, size_t at)
{
    if (x->n == x->cap) {
        x->cap = x->cap * 2 + 16;
        x->at = mem_grow(x->at, x->cap * sizeof(x->at[0]));
    }
    x->at[x->n++] = at;
}

static bool
is_role(const struct text_message *m, const char *role)
{
    return m->role->len == strlen(role)
           && memcmp(m->role->data, role, m->role->len) == 0;
}

/* Finds w->exchanges: system messages alone are one. */
static void
find_exchanges(struct render_worker *w)
{
    struct render_exchanges *x = &w->exchanges;
    size_t start = 0, at = 0, system = 0; /* 0: none is right before */
    bool answered = false;
    struct text_message m;

    x->n = x->head = 0;
    for (; text_next_message(&w->rec, &at, &m); start = at) {
        if (is_role(&m, "system") || is_role(&m, "developer")) {
            if (x->n == 0)
                x->head = at;
            else if (system == 0)
                system = start;
            continue;
        }
        if (x->n == 0 || (answered && is_role(&m, "user")))
            add_exchange(x, system > 0 ? system : start);
        answered = is_role(&m, "assistant");
        system = 0;
    }
    if (x->n == 0) {
        x->head = 0;
        add_exchange(x, 0);
    }
    add_exchange(x, at);
    x->n--;
}

/* Renders n exchanges from the i-th on; whether they fit. To what is too long
 * for the limit it comes down, too, where the template refuses them without
 * those before. */
static bool
fits(struct conversation *c, size_t i, size_t n)
{
    const struct render_exchanges *x = &c->w->exchanges;
    struct err refused;

    return lay_out(c, x->head, x->at[i], x->at[i + n], &refused) == 0
           && encode(c);
}

/* The most exchanges from the i-th on that fit, which are encoded then: twice
 * as many until they don't, then between. */
static size_t
longest(struct conversation *c, size_t i)
{
    size_t left = c->w->exchanges.n - i, tried = 0, n = 1;
    size_t good = 0, bad = left + (i > 0); /* the whole doesn't fit */

    for (; good + 1 < bad; n = bad <= left ? (good + bad) / 2 : 2 * good) {
        tried = n < left ? n : left;
        if (fits(c, i, tried))
            good = tried;
        else
            bad = tried;
    }
    if (good > 0 && tried != good)
        fits(c, i, good);
    return good;
}

static int
cut(struct conversation *c, struct err *e)
{
    const struct render_exchanges *x = &c->w->exchanges;
    size_t n;
    int rc = 0;

    find_exchanges(c->w);
    for (size_t i = 0; i < x->n && rc == 0; i += n > 0 ? n : 1) {
        n = longest(c, i);
        if (n > 0)
            rc = render_keep(c->r, c->w, c->origin, 0, c->out, e);
        else
            leave_exchange(c, x->at[i], x->at[i + 1]);
    }
    return rc;
}

int
render_chat(const struct render *r, struct render_worker *w,
            const struct tokens_origin *origin, struct render_result *out,
            struct err *e)
{
    struct conversation c = {
        .r = r, .w = w, .origin = origin, .out = out,
        .tools = json_field(w, "tools"),
        .more = json_field(w, "chat_template_kwargs"),
        .in = { .marks = r->marks }
    };
    struct render_part whole = { .first = true };
    int rc = chat_template_ok(r->chat, e);

    if (rc == 0)
        rc = lay_out(&c, 0, 0, SIZE_MAX, e);
    if (rc < 0)
        return rc;
    leave_passed(&c);
    memcpy(&c.in.variant, origin->text.b, sizeof(c.in.variant));
    render_fields(w, TEMPLATE_CHAT, &whole, &c.in);
    if (encode(&c))
        return render_keep(r, w, origin, 0, out, e);
    c.in.stop = true;
    return cut(&c, e);
}
