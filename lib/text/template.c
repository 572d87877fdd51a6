/* template.c - layouts that are built in or given are opened: a family is
 * chosen for the tokenizer, and what kind a given one is like by the fields
 * that it asks for. */
#include "text/template.h"

#include <string.h>

#include "text/template_builtin.h"
#include "text/template_read.h"

const char *
template_name(enum template_kind kind)
{
    static const char *const name[TEMPLATE_KINDS] = {
        [TEMPLATE_PLAIN] = "plain", [TEMPLATE_FILE] = "file",
        [TEMPLATE_COMMIT] = "commit", [TEMPLATE_MESSAGE] = "message",
        [TEMPLATE_REVIEW] = "review", [TEMPLATE_FIM] = "fim",
        [TEMPLATE_CHAT] = "chat"
    };

    return name[kind];
}

const char *
template_builtin(const char *name)
{
    const struct builtin_template *b = builtin_template;

    while (b->name && strcmp(b->name, name) != 0)
        b++;
    return b->text;
}

/* ---- opening ---- */

/* Finds the family's tokens; the role of one that the tokenizer has not, or
 * LAYOUT_MAX_ROLES. */
static size_t
find_tokens(struct template *tp, const struct layout_family *f,
            const struct tokenizer *t)
{
    const struct layout_spelling *s;
    size_t i;

    for (i = 0; i < LAYOUT_MAX_ROLES; i++) {
        s = &f->token[i];
        tp->id[i] = TOKEN_NONE;
        if (s->len == 0)
            continue;
        tp->id[i] = tokenizer_find(t, tp->layout.bytes.data + s->at, s->len);
        if (tp->id[i] == TOKEN_NONE)
            break;
    }
    return i;
}

/* The first family whose tokens there are. */
static int
choose_family(struct template *tp, const char *where,
              const struct tokenizer *t, struct err *e)
{
    const struct layout *l = &tp->layout;
    const struct layout_spelling *s;
    struct buf missing;
    size_t i, role;

    buf_init(&missing);
    for (i = 0; i < l->n_families; i++) {
        role = find_tokens(tp, &l->family[i], t);
        if (role == LAYOUT_MAX_ROLES)
            break;
        s = &l->family[i].token[role];
        buf_addf(&missing, "%s%s has %.*s", i > 0 ? ", " : "",
                 l->family[i].name, (int)s->len, l->bytes.data + s->at);
    }
    tp->family = &l->family[i];
    if (i == l->n_families)
        err_set(e, ERR_DATA, "%s: the tokenizer is of none of its families "
                "(%s)", where, missing.data);
    buf_release(&missing);
    return i == l->n_families ? ERR_DATA : 0;
}

int
template_open_own(struct template *tp, const char *text, size_t n,
                  const char *where, const struct tokenizer *t, uint32_t end,
                  struct err *e)
{
    int rc;

    memset(tp, 0, sizeof(*tp));
    tp->t = t;
    tp->end = end;
    tp->begin = TOKEN_NONE;
    rc = template_read(&tp->layout, text, n, where, e);
    if (rc < 0)
        return rc;
    rc = choose_family(tp, where, t, e);
    if (rc < 0)
        template_release(tp);
    return rc;
}

int
template_open(struct template *tp, enum template_kind kind,
              const struct tokenizer *t, uint32_t end, struct err *e)
{
    const char *name = template_name(kind);
    const char *text = template_builtin(name);

    return template_open_own(tp, text, strlen(text), name, t, end, e);
}

void
template_release(struct template *tp)
{
    layout_release(&tp->layout);
    tp->family = NULL;
}

bool
template_is_for(const struct template *tp, enum layout_record kind)
{
    return tp->layout.records >> kind & 1;
}

#define COMMITS (1u << LAYOUT_COMMIT)
#define CODE (COMMITS | 1u << LAYOUT_FILE | 1u << LAYOUT_DOC)
#define SIDES (1u << FIELD_BEFORE | 1u << FIELD_AFTER)
#define DIFF (1u << FIELD_DIFF)
#define TEXT (1u << FIELD_TEXT)
#define HOLE (1u << FIELD_PREFIX | 1u << FIELD_SUFFIX | 1u << FIELD_MIDDLE)

int
template_like(struct template *tp, const char *where,
              enum template_kind *kind, struct err *e)
{
    field_set uses = layout_uses(&tp->layout, tp->family);
    bool sides = uses & SIDES, diff = uses & DIFF, text = uses & TEXT;
    bool hole = uses & HOLE;
    uint32_t *records = &tp->layout.records;

    if (sides + diff + text + hole > 1)
        return err_set(e, ERR_DATA, "%s: family %s has more than one of: "
                       "before and after; diff; text; prefix, middle and "
                       "suffix", where, tp->family->name);
    if (sides || diff || hole)
        *records &= hole ? CODE : COMMITS;
    if (*records == 0)
        return err_set(e, ERR_DATA, "%s: the records it is for have not the "
                       "fields of family %s", where, tp->family->name);
    if (sides)
        *kind = TEMPLATE_COMMIT;
    else if (diff)
        *kind = layout_learns(&tp->layout, tp->family) & DIFF ?
                TEMPLATE_REVIEW : TEMPLATE_MESSAGE;
    else if (hole)
        *kind = TEMPLATE_FIM;
    else if (*records == 1u << LAYOUT_CHAT)
        *kind = TEMPLATE_CHAT;
    else
        *kind = *records == 1u << LAYOUT_FILE ? TEMPLATE_FILE :
                TEMPLATE_PLAIN;
    return 0;
}

size_t
template_variant(const struct template *tp, const char *name)
{
    const struct layout_body *b = &tp->layout.body[tp->family->body];
    size_t i;

    for (i = 0; i < b->n && strcmp(b->variant[i].name, name) != 0; i++)
        continue;
    return i;
}
