/* render_use.c - which layouts are open, and which one a record gets. */
#include <string.h>

#include "record/render.h"

_Static_assert((int)LAYOUT_COMMIT == TEXT_COMMIT
               && (int)LAYOUT_FILE == TEXT_FILE
               && (int)LAYOUT_DOC == TEXT_DOC
               && (int)LAYOUT_CHAT == TEXT_CHAT,
               "layouts number the kinds of records as text records do");

void
render_init(struct render *r, const struct tokenizer *t, uint32_t end)
{
    memset(r, 0, sizeof(*r));
    r->t = t;
    r->end = end;
    r->begin = TOKEN_NONE;
    r->kind = RENDER_AUTO;
}

void
render_release(struct render *r)
{
    for (int i = 0; i < TEMPLATE_KINDS; i++)
        if (r->template[i].family)
            template_release(&r->template[i]);
}

static bool
has_chat(const struct render *r)
{
    return r->chat && r->chat->found;
}

/* What begins a conversation is its base's chat template's to say. */
static void
set_begin(struct render *r)
{
    for (int i = 0; i < TEMPLATE_KINDS; i++)
        if (i != TEMPLATE_CHAT)
            r->template[i].begin = r->begin;
}

/* Opens the layouts that records get beside the chosen one: with
 * RENDER_AUTO, and texts that fim leaves as they are. */
static int
open_others(struct render *r, struct err *e)
{
    static const enum template_kind of_record[] = {
        TEMPLATE_FILE, TEMPLATE_PLAIN, TEMPLATE_COMMIT, TEMPLATE_CHAT
    };
    size_t n = r->kind == RENDER_AUTO ? 3 + has_chat(r) :
               r->kind == TEMPLATE_FIM ? 2 : 0;
    enum template_kind k;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        k = of_record[i];
        rc = template_open(&r->template[k], k, r->t, r->end, e);
    }
    set_begin(r);
    return rc;
}

int
render_use(struct render *r, enum template_kind kind, struct err *e)
{
    int rc = 0;

    render_release(r);
    r->kind = kind;
    if (kind != RENDER_AUTO)
        rc = template_open(&r->template[kind], kind, r->t, r->end, e);
    return rc < 0 ? rc : open_others(r, e);
}

int
render_use_own(struct render *r, const char *text, size_t n,
               const char *where, struct err *e)
{
    struct template own = { .t = NULL };
    int rc;

    render_release(r);
    rc = template_open_own(&own, text, n, where, r->t, r->end, e);
    if (rc < 0)
        return rc;
    rc = template_like(&own, where, &r->kind, e);
    if (rc < 0) {
        template_release(&own);
        return rc;
    }
    r->template[r->kind] = own;
    return open_others(r, e);
}

enum template_kind
render_choose(const struct render *r, enum text_kind kind)
{
    enum template_kind k = r->kind;

    if (k == RENDER_AUTO)
        return kind == TEXT_COMMIT ? TEMPLATE_COMMIT :
               kind == TEXT_FILE ? TEMPLATE_FILE :
               kind == TEXT_CHAT && has_chat(r) ? TEMPLATE_CHAT :
               TEMPLATE_PLAIN;
    return template_is_for(&r->template[k], (enum layout_record)kind) ?
           k : TEMPLATE_KINDS;
}

static enum template_kind
layout_of(const struct render *r, enum text_kind kind)
{
    return r->kind == RENDER_AUTO ? render_choose(r, kind) : r->kind;
}

enum tokens_loss
render_loss(const struct render *r, enum text_kind kind)
{
    return r->template[layout_of(r, kind)].layout.all ? LOSS_ALL : LOSS_TARGET;
}

bool
render_has_context(const struct render *r, enum text_kind kind)
{
    enum template_kind k = layout_of(r, kind);

    return k != TEMPLATE_FILE && k != TEMPLATE_PLAIN;
}
