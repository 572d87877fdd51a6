/* layout_options.c - a name that is built in, or else what can be no name: a
 * file. */
#include "cli/layout_options.h"

#include <string.h>

#include "base/io.h"
#include "base/nearest.h"
#include "weights/tokenizer_file.h"

#define OWN (-1)

int
layout_choose(struct layout_choice *c, const struct layout_options *o,
              struct err *e)
{
    const char *name = o->template, *dot = strrchr(name, '.');
    struct nearest x = nearest_to(name, strlen(name), 2);

    memset(c, 0, sizeof(*c));
    chat_template_init(&c->chat);
    c->kind = RENDER_AUTO;
    if (strcmp(name, "auto") == 0)
        return 0;
    for (c->kind = 0; c->kind < TEMPLATE_KINDS; ++c->kind) {
        nearest_offer(&x, template_name((enum template_kind)c->kind));
        if (strcmp(name, template_name((enum template_kind)c->kind)) == 0)
            return 0;
    }
    c->kind = OWN;
    if (strchr(name, '/') || (dot && strcmp(dot, ".template") == 0))
        return 0;
    return err_set(e, ERR_USAGE, "--template: no layout %s%s%s%s (expected "
                   "auto|" LAYOUT_NAMES ", or a file: FILE.template or a "
                   "path with a /)", name, x.name ? ", did you mean " : "",
                   x.name ? x.name : "", x.name ? "?" : "");
}

void
layout_choice_release(struct layout_choice *c)
{
    chat_template_release(&c->chat);
}

/* A layout of the user's, whose content id goes into hex. */
static int
use_file(struct render *r, const char *path, char *hex, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read_regular(&text, path, LAYOUT_MAX_FILE, e);
    if (rc == 0)
        rc = render_use_own(r, text.data, text.len, path, e);
    if (rc == 0)
        id_hex(&r->template[r->kind].layout.id, hex);
    buf_release(&text);
    return rc;
}

int
layout_use(struct layout_choice *c, const struct layout_options *o,
           const char *tokenizer, struct render *r, struct err *e)
{
    int rc = chat_template_date(&c->chat, o->date, e);

    if (rc == 0)
        rc = tokenizer_file_chat(&c->chat, tokenizer, r->t, o->chat, e);
    if (rc < 0)
        return rc;
    r->chat = &c->chat;
    if (c->kind == OWN)
        rc = use_file(r, o->template, c->own, e);
    else
        rc = render_use(r, (enum template_kind)c->kind, e);
    if (rc == 0 && r->template[TEMPLATE_CHAT].family)
        id_hex(&c->chat.id, c->chat_id);
    if (rc == 0 && (c->kind == TEMPLATE_CHAT || o->chat))
        rc = chat_template_ok(&c->chat, e);
    return rc;
}
