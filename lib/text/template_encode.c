/* template_encode.c - the items of a layout's family are followed for every
 * record: text waits until a token or the end comes, and is encoded then. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
template_set(struct template_input *in, enum template_field field,
             const char *p, size_t n)
{
    in->whole[field] = (struct template_piece){
        .p = p, .n = n, .loss = true, .marks = in->marks
    };
    in->field[field] = (struct template_value){ &in->whole[field], 1 };
}

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
    return from > 0 ? out->loss + from : out->loss;
}

/* Encodes the text that waits. */
static void
flush(struct template_out *out, struct encoder *en)
{
    size_t from = out->ids.n, n;
    uint8_t *loss;

    spans_encode(&out->text, en, &out->ids);
    n = out->ids.n - from;
    loss = loss_room(out, from);
    if (n > 0 && out->ids.n <= out->most)
        spans_mask(&out->text, out->ids.id + from, n, loss);
    if (out->ids.n <= out->most)
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
        loss = learned && piece->loss;
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

/* A text is begun with nothing. */
static void
begin(const struct template *tp, struct encoder *en,
      const struct template_input *in, struct template_out *out)
{
    out->ids.n = 0;
    shown_reset(&out->shown);
    out->text.behind = false;
    out->most = SIZE_MAX;
    if (in->most > 0) /* and one that is dropped */
        out->most = (size_t)in->most + (tp->begin != TOKEN_NONE);
    en->enough = in->stop ? out->most : SIZE_MAX;
    if (tp->begin == TOKEN_NONE)
        return;
    /* To the text behind it, as to tokenizers, it is not there. */
    ids_add(&out->ids, tp->begin);
    shown_empty(&out->shown);
    *loss_room(out, 0) = false;
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
    begin(tp, en, in, out);
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
            add_fixed(&y, it, it->learned);
    }
    flush(out, en);
    en->enough = SIZE_MAX;
    if (tp->begin != TOKEN_NONE && out->ids.n > 1
        && out->ids.id[1] == tp->begin)
        drop_first(out);
}
