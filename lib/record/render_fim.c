/* render_fim.c - the places of an edit as middles, each with as much around
 * it as fits.
 */
#include "record/render_fim.h"

#include <string.h>

#include "base/lines.h"
#include "record/render_parts.h"

/* Fewer bytes a token than any text has that isn't blank: what would need
 * more tokens than the limit by that is not tried. */
#define MOST_BYTES 16
#define LEAST_ROOM 8 /* tokens that the head has to leave for text */
#define NEAR_LINES 64 /* shown on each side where nothing limits a record */

/* A hunk, as the commit leaves it. */
struct hunk {
    const struct render *r;
    struct render_worker *w;
    const struct tokens_origin *origin;
    struct render_result *out;
    const char *p;
    size_t n;
};

/* What is shown of it: [from, to) is the middle. */
struct place {
    size_t begin, from, to, end;
    bool spm;
    uint64_t edited; /* lines */
};

static void
set_apart(const struct render *r, const char *p, const struct place *t,
          struct template_input *in)
{
    const struct template *tp = &r->template[TEMPLATE_FIM];

    template_set(in, FIELD_PREFIX, p + t->begin, t->from - t->begin);
    template_set(in, FIELD_MIDDLE, p + t->from, t->to - t->from);
    template_set(in, FIELD_SUFFIX, p + t->to, t->end - t->to);
    in->variant = template_variant(tp, t->spm ? "spm" : "psm");
}

enum template_kind
render_fim_text(const struct render *r, const struct render_worker *w,
                const struct id *id, const struct render_part *part,
                struct template_input *in)
{
    const struct render_line *line = w->lines.line;
    const char *p = part->from < part->to ? line[part->from].p : "";
    struct place t = { .begin = 0 };
    struct fim_draw d;

    for (size_t i = part->from; i < part->to; i++)
        t.end += line[i].n;
    d = fim_draw(&r->fim, id, (uint64_t)(p - w->whole.p), p, t.end);
    t.from = d.from;
    t.to = d.to;
    t.spm = d.spm;
    render_fields_where(w, in);
    if (d.apart) {
        set_apart(r, p, &t, in);
        return TEMPLATE_FIM;
    }
    template_set(in, FIELD_TEXT, p, t.end);
    return w->rec.kind == TEXT_FILE ? TEMPLATE_FILE : TEMPLATE_PLAIN;
}

/* Encodes what is shown; true when it fits. */
static bool
encode(const struct hunk *h, const struct place *t)
{
    const struct render *r = h->r;
    uint64_t lost = h->w->en.n_lost;
    struct template_input in;

    if (r->max_tokens > 0 && (t->end - t->begin) / MOST_BYTES > r->max_tokens)
        return false;
    memset(&in, 0, sizeof(in));
    in.marks = r->marks;
    render_fields_where(h->w, &in);
    set_apart(r, h->p, t, &in);
    template_encode(&r->template[TEMPLATE_FIM], &h->w->en, &in, &h->w->out);
    h->w->lost = h->w->en.n_lost - lost;
    return r->max_tokens == 0 || h->w->out.ids.n <= r->max_tokens;
}

/* The middle with so many lines on each side; true when it fits. */
static bool
encode_near(const struct hunk *h, struct place *t, size_t lines)
{
    t->begin = lines_back(h->p, t->from, lines);
    t->end = lines_on(h->p, t->to, h->n, lines);
    return encode(h, t);
}

/* Encodes the middle with as many lines on each side as fit; false if not
 * even it alone does. */
static bool
encode_widest(const struct hunk *h, struct place *t)
{
    size_t fits = 0, most = 1, lines;

    while (encode_near(h, t, most)) {
        if (t->begin == 0 && t->end == h->n)
            return true;
        fits = most;
        most *= 2;
    }
    while (most - fits > 1) {
        lines = fits + (most - fits) / 2;
        if (encode_near(h, t, lines))
            fits = lines;
        else
            most = lines;
    }
    return encode_near(h, t, fits);
}

/* Whether the middle is to be one as it is, and not the two halves. */
static bool
is_whole(const struct hunk *h, const struct place *t, size_t half)
{
    struct place alone = *t;

    alone.begin = t->from;
    alone.end = t->to;
    return half == 0
        || (encode(h, &alone)
            && (h->w->out.ids.n <= h->r->max_tokens / 2
                || h->p[t->from + half - 1] != '\n'));
}

/* The place, which does not fit with all around it, as one or in halves. */
static int
add_part(const struct hunk *h, struct place t, struct err *e)
{
    size_t half = fim_half(h->p + t.from, t.to - t.from);
    struct place first = t, second = t;
    int rc;

    if (is_whole(h, &t, half)) {
        if (encode_widest(h, &t))
            return render_keep(h->r, h->w, h->origin, t.edited, h->out, e);
        render_leave(h->out, RENDER_LONG, t.edited, h->w->out.ids.n);
        return 0;
    }
    first.to = second.from = t.from + half;
    second.edited = lines_count(h->p + second.from, second.to - second.from);
    if (second.edited > t.edited)
        second.edited = t.edited;
    first.edited -= second.edited;
    rc = add_part(h, first, e);
    return rc < 0 ? rc : add_part(h, second, e);
}

static int
add_place(const struct hunk *h, size_t from, size_t to, uint64_t edited,
          struct err *e)
{
    struct fim_draw d = fim_draw(&h->r->fim, &h->origin->text, h->out->n,
                                 NULL, 0);
    struct place t = { .from = from, .to = to, .end = h->n, .spm = d.spm,
                       .edited = edited };

    if (from == to) {
        render_leave(h->out, RENDER_REMOVES, edited, 0);
        return 0;
    }
    if (h->r->max_tokens > 0 ? encode(h, &t) : encode_near(h, &t, NEAR_LINES))
        return render_keep(h->r, h->w, h->origin, edited, h->out, e);
    return add_part(h, t, e);
}

static int
add_places(const struct hunk *h, const struct change_line *line, size_t n,
           struct err *e)
{
    size_t at = 0, from = 0;
    uint64_t edited = 0;
    int rc = 0;

    for (size_t i = 0; i <= n && rc == 0; i++) {
        if (i < n && line[i].kind != ' ') {
            from = edited++ == 0 ? at : from;
        } else if (edited > 0) {
            rc = add_place(h, from, at, edited, e);
            edited = 0;
        }
        if (i < n && line[i].kind != '-')
            at += line[i].n + !line[i].no_newline;
    }
    return rc;
}

static void
make_hunk(struct buf *b, const struct change_line *line, size_t n)
{
    buf_reset(b);
    for (; n-- > 0; line++) {
        if (line->kind == '-')
            continue;
        buf_add(b, line->p, line->n);
        if (!line->no_newline)
            buf_addc(b, '\n');
    }
}

int
render_fim(const struct render *r, struct render_worker *w,
           const struct tokens_origin *origin, struct render_result *out,
           struct err *e)
{
    const struct change *c = &w->change;
    struct hunk h = { .r = r, .w = w, .origin = origin, .out = out };
    struct place none = { .begin = 0 };
    int rc = 0;

    h.p = "";
    encode(&h, &none);
    if (r->max_tokens > 0 && w->out.ids.n + LEAST_ROOM > r->max_tokens) {
        render_leave(out, RENDER_LONG, out->there.edited, 0);
        return 0;
    }
    for (size_t i = 0; i < c->n_hunks && rc == 0; i++) {
        const struct change_line *line = c->line + c->hunk[i].line;

        make_hunk(&w->made, line, c->hunk[i].n_lines);
        h.p = w->made.data;
        h.n = w->made.len;
        rc = add_places(&h, line, c->hunk[i].n_lines, e);
    }
    return rc;
}
