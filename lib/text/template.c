/* template.c - a layout's family is chosen once, its items are followed for
 * every record. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
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

void
template_set(struct template_input *in, enum template_field field,
             const char *p, size_t n)
{
    in->whole[field] = (struct template_piece){
        .p = p, .n = n, .loss = true, .marks = in->marks
    };
    in->field[field] = (struct template_value){ &in->whole[field], 1 };
}

/* ---- ids ---- */

void
template_out_init(struct template_out *out, const struct tokenizer *t)
{
    memset(out, 0, sizeof(*out));
    ids_init(&out->ids);
    shown_init(&out->shown);
    spans_init(&out->text, t);
}

void
template_out_release(struct template_out *out)
{
    ids_release(&out->ids);
    shown_release(&out->shown);
    spans_release(&out->text);
    free(out->loss);
    memset(out, 0, sizeof(*out));
}

/* Room for the flags of all ids. */
static uint8_t *
loss_room(struct template_out *out, size_t from)
{
    if (out->ids.n > out->cap) {
        out->cap = out->ids.n + out->ids.n / 2;
        out->loss = mem_grow(out->loss, out->cap);
    }
    return out->loss + from;
}

/* Encodes the text that waits. */
static void
flush(struct template_out *out, struct encoder *en)
{
    size_t from = out->ids.n;

    spans_encode(&out->text, en, &out->ids);
    if (out->ids.n > from)
        spans_mask(&out->text, out->ids.id + from, out->ids.n - from,
                   loss_room(out, from));
    shown_spans(&out->shown, &out->text, &out->ids, from);
    spans_reset(&out->text);
    out->text.within = false;
}

/* What comes is no text with what is before it. within: it goes on, as if it
 * did not begin. */
static void
part(struct template_out *out, struct encoder *en, bool within)
{
    flush(out, en);
    out->text.within = within;
}

/* TOKEN_NONE: text before and behind it is not one text all the same. */
static void
add_token(struct template_out *out, struct encoder *en, uint32_t id,
          bool loss)
{
    flush(out, en);
    if (id == TOKEN_NONE)
        return;
    out->text.behind = true;
    ids_add(&out->ids, id);
    shown_token(&out->shown, en->t, id);
    *loss_room(out, out->ids.n - 1) = loss;
}

/* Where a record is encoded. */
struct layer {
    const struct template *tp;
    const struct template_input *in;
    struct encoder *en;
    struct template_out *out;
};

/* A token or text of the layout. */
static void
add_fixed(const struct layer *y, const struct layout_item *it, bool learned)
{
    if (it->kind == ITEM_TOKEN)
        add_token(y->out, y->en, y->tp->id[it->of], learned);
    else
        spans_add(&y->out->text, y->tp->layout.bytes.data + it->at, it->len,
                  learned, y->in->marks);
}

static void
add_field(const struct layer *y, const struct template_value *v,
          bool learned)
{
    const struct layout_item *gap = y->tp->layout.item + y->tp->family->gap;
    const struct template_piece *piece;
    bool loss;
    size_t i, k;

    for (i = 0; i < v->n; i++) {
        piece = &v->piece[i];
        loss = y->in->all || (learned && piece->loss);
        if (piece->p)
            spans_add(&y->out->text, piece->p, piece->n, loss, piece->marks);
        else
            for (k = 0; k < y->tp->family->n_gap; k++)
                add_fixed(y, &gap[k], loss);
    }
}

/* Whether the fields that an item depends on are there, and not there. */
static bool
applies(const struct layout_item *it, field_set there)
{
    return (it->present & ~there) == 0 && (it->absent & there) == 0;
}

static void
drop_first(struct template_out *out)
{
    size_t n = --out->ids.n;

    memmove(out->ids.id, out->ids.id + 1, n * sizeof(out->ids.id[0]));
    memmove(out->loss, out->loss + 1, n);
    shown_drop_first(&out->shown);
}

void
template_encode(const struct template *tp, struct encoder *en,
                const struct template_input *in, struct template_out *out)
{
    const struct layer y = { tp, in, en, out };
    const struct layout_body *b = &tp->layout.body[tp->family->body];
    const struct layout_variant *v = &b->variant[in->variant % b->n];
    const struct layout_item *it = tp->layout.item + v->first;
    field_set there = 0;
    size_t i;

    for (i = 0; i < FIELDS; i++)
        there |= in->field[i].piece ? 1u << i : 0;
    out->ids.n = 0;
    shown_reset(&out->shown);
    out->text.behind = false;
    if (tp->begin != TOKEN_NONE) {
        /* To the text behind it, as to tokenizers, it is not there. */
        ids_add(&out->ids, tp->begin);
        shown_empty(&out->shown);
        *loss_room(out, 0) = false;
    }
    for (i = 0; i < v->n; i++, it++) {
        if (!applies(it, there))
            continue;
        if (it->kind == ITEM_FIELD)
            add_field(&y, &in->field[it->of], it->learned);
        else if (it->kind == ITEM_END)
            add_token(out, en, tp->end, true);
        else if (it->kind == ITEM_APART || it->kind == ITEM_WITHIN)
            part(out, en, it->kind == ITEM_WITHIN);
        else
            add_fixed(&y, it, in->all || it->learned);
    }
    flush(out, en);
    if (tp->begin != TOKEN_NONE && out->ids.n > 1
        && out->ids.id[1] == tp->begin)
        drop_first(out);
}
