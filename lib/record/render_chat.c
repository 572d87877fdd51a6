/* render_chat.c - a conversation as its base's chat template spells it: what
 * the record has goes to text/chat.h, whose pieces are the field text.
 */
#include "record/render_parts.h"

#include <string.h>

/* A field that holds JSON; null is as good as none. */
static const struct text_field *
json_field(const struct render_worker *w, const char *name)
{
    const struct text_field *f = text_get(&w->rec, name);
    bool null = f && f->len == 4 && memcmp(f->data, "null", 4) == 0;

    return null ? NULL : f;
}

/* Counts the messages of which the template writes nothing, rightly. */
static void
leave_passed(const struct render *r, struct render_worker *w,
             struct render_result *out)
{
    struct text_message m;
    size_t at = 0;

    for (size_t i = 0; text_next_message(&w->rec, &at, &m); i++)
        if (chat_passed(&w->chat, i))
            render_leave(out, RENDER_SYSTEM, 0,
                         render_measure(r, w, m.content->data,
                                        m.content->len));
}

int
render_chat(const struct render *r, struct render_worker *w,
            struct render_result *out, struct err *e)
{
    const struct text_field *tools = json_field(w, "tools");
    const struct text_field *more = json_field(w, "chat_template_kwargs");
    struct text_message m;
    size_t at = 0;
    int rc = chat_template_ok(r->chat, e);

    if (rc < 0)
        return rc;
    chat_begin(&w->chat, r->chat);
    if (tools)
        rc = chat_tools(&w->chat, tools->data, tools->len, e);
    if (rc == 0 && more)
        rc = chat_variables(&w->chat, more->data, more->len, e);
    while (rc == 0 && text_next_message(&w->rec, &at, &m))
        rc = chat_add(&w->chat, m.role->data, m.role->len, m.content->data,
                      m.content->len, m.json ? m.json->data : NULL,
                      m.json ? m.json->len : 0, e);
    if (rc == 0)
        rc = chat_end(&w->chat, r->marks, r->all, e);
    if (rc == 0)
        leave_passed(r, w, out);
    return rc;
}
