/* render_fit.c - one record as one token record, or as many as it takes.
 *
 * What does not fit gets less and less context. Where none is left to give,
 * it is cut: every hunk gets the context with which it fits by itself, and
 * parts take hunk after hunk, or lines of one that is too large, as far as
 * there is room. A part is encoded when it has been chosen by what its lines
 * cost alone; if that was too little, it is chosen again with less room. So
 * the work is a few times that of encoding all once.
 */
#include <string.h>

#include "base/mem.h"
#include "record/offsets_line.h"
#include "record/render_fim.h"
#include "record/render_parts.h"
#include "stream/stream.h"

#define MOST_CONTEXT 8 /* of what gets less, and the next ones, to none */
#define CUT_CONTEXT 4  /* of hunks that are cut */

struct fitting {
    const struct render *r;
    struct render_worker *w;
    enum template_kind kind;
    const struct tokens_origin *origin;
    struct render_result *out;
    uint64_t room; /* tokens that the head leaves of a part */
};

static bool
encode(struct fitting *f, const struct render_part *part)
{
    struct render_worker *w = f->w;
    uint64_t lost = w->en.n_lost;
    enum template_kind kind = f->kind;
    struct template_input in;

    memset(&in, 0, sizeof(in));
    in.marks = f->r->marks;
    in.most = f->r->max_tokens;
    memcpy(&in.variant, f->origin->text.b, sizeof(in.variant));
    if (kind == TEMPLATE_FIM)
        kind = render_fim_text(f->r, w, &f->origin->text, part, &in);
    else
        render_fields(w, kind, part, &in);
    template_encode(&f->r->template[kind], &w->en, &in, &w->out);
    w->lost = w->en.n_lost - lost;
    return f->r->max_tokens == 0 || w->out.ids.n <= f->r->max_tokens;
}

/* ---- what becomes of it ---- */

static uint64_t
edited(const struct fitting *f, size_t from, size_t to)
{
    return f->w->rec.kind == TEXT_COMMIT ?
           render_lines_edited(&f->w->lines, from, to) : 0;
}

void
render_leave(struct render_result *out, enum render_left why, uint64_t lines,
             uint64_t tokens)
{
    struct render_count one = { 1, lines, tokens };

    render_count_add(&out->left[why], &one);
}

static void
leave(struct fitting *f, enum render_left why, uint64_t lines,
      uint64_t tokens)
{
    render_leave(f->out, why, lines, tokens);
}

int
render_keep(const struct render *r, const struct render_worker *w,
            const struct tokens_origin *origin, uint64_t lines,
            struct render_result *out, struct err *e)
{
    const struct template_out *made = &w->out;
    struct render_count one = { 1, lines, made->ids.n };
    size_t start = out->tokens.len;
    int rc = 0;

    if (r->offsets)
        offsets_line(&out->tokens, made, r->loss);
    else
        rc = tokens_encode(&out->tokens, origin, made->ids.id, made->loss,
                           made->ids.n, r->t->n, e);
    if (rc < 0)
        return rc;
    if (out->tokens.len - start > STREAM_RECORD_MAX) {
        out->tokens.len = start;
        render_leave(out, RENDER_LARGE, lines, made->ids.n);
        return 0;
    }
    render_count_add(&out->kept, &one);
    if (out->n == out->cap) {
        out->cap = out->cap * 2 + 4;
        out->end = mem_grow(out->end, out->cap * sizeof(out->end[0]));
    }
    out->end[out->n++] = out->tokens.len;
    out->lost += w->lost;
    return 0;
}

/* Appends what was encoded of the part. */
static int
keep(struct fitting *f, const struct render_part *part, struct err *e)
{
    return render_keep(f->r, f->w, f->origin,
                       edited(f, part->from, part->to), f->out, e);
}

/* ---- less context ---- */

static uint32_t
measure_line(struct fitting *f, const struct render_line *line)
{
    return (uint32_t)render_measure(f->r, f->w, line->p, line->n);
}

/* What every line that may be shown takes by itself. */
static void
measure(struct fitting *f)
{
    struct render_lines *l = &f->w->lines;

    for (size_t i = 0; i < l->n; i++)
        if (l->line[i].near <= MOST_CONTEXT)
            l->line[i].tokens = measure_line(f, &l->line[i]);
}

/* What lines [from, to) cost with that context. */
static uint64_t
cost_with(const struct render_lines *l, size_t from, size_t to,
          uint32_t context)
{
    uint64_t sum = 0;

    for (; from < to; from++)
        if (l->line[from].near <= context)
            sum += render_cost(l, from);
    return sum;
}

static struct render_part
part_of(const struct render_lines *l, size_t from, size_t to,
        uint32_t context)
{
    struct render_part part = { .from = from, .to = to, .context = context,
                                .first = true };

    while (from < to && l->line[from].near > context)
        from++;
    if (from < to)
        part.scope = render_lines_scope(l, from);
    return part;
}

/* All of the edit with less context, if that fits: encoded. Lines together
 * take fewer tokens than alone, but not so many fewer. */
static bool
shrink(struct fitting *f, struct render_part *part)
{
    const struct render_lines *l = &f->w->lines;
    uint64_t cost;

    for (uint32_t context = MOST_CONTEXT;; context /= 2) {
        cost = cost_with(l, 0, l->n, context);
        *part = part_of(l, 0, l->n, context);
        if (cost - cost / 4 <= f->room && encode(f, part))
            return true;
        if (context == 0)
            return false;
    }
}

/* ---- cutting ---- */

/* The head gets at most half of the limit: what is behind that of the message
 * is left out. */
static void
shorten_message(struct fitting *f, uint64_t head)
{
    uint64_t half = f->r->max_tokens / 2, message, fixed, room;
    struct render_worker *w = f->w;
    const char *p = w->message.data, *eol;

    message = render_measure(f->r, w, p, w->message.len);
    fixed = head > message ? head - message : 0;
    room = half > fixed ? half - fixed : 0;
    w->n_message = render_prefix(f->r, w, p, w->message.len, &room);
    eol = memrchr(p, '\n', w->n_message);
    if (eol && (size_t)(eol - p) > w->n_message / 2)
        w->n_message = (size_t)(eol - p);
    while (w->n_message > 0 && p[w->n_message - 1] == '\n')
        w->n_message--;
    leave(f, RENDER_MESSAGE, 0,
          render_measure(f->r, w, p + w->n_message,
                         w->message.len - w->n_message));
}

/* Finds the room that the head leaves; false if there is none. */
static bool
find_room(struct fitting *f)
{
    struct render_part none = { .first = true };
    uint64_t max = f->r->max_tokens, head;

    encode(f, &none);
    head = f->w->out.ids.n;
    f->room = head < max ? max - head : 0;
    return f->room > 0;
}

/* The context with which lines [from, to) fit, the most first; false, with
 * what a hunk has that is cut, if none does. */
static bool
choose_context(const struct fitting *f, size_t from, size_t to,
               uint32_t *context)
{
    for (*context = MOST_CONTEXT;; *context /= 2) {
        if (cost_with(&f->w->lines, from, to, *context) <= f->room)
            return true;
        if (*context == 0)
            break;
    }
    *context = CUT_CONTEXT;
    return false;
}

/* Replaces the lines by those that the parts are to show. */
static void
choose_lines(struct fitting *f)
{
    struct render_worker *w = f->w;
    struct render_lines *l = &w->lines;
    struct render_line *line = l->line;
    size_t from, to, i;
    uint32_t context;
    bool fits;

    w->cut.n = 0;
    for (from = 0; from < l->n; from = to) {
        for (to = from; to < l->n && line[to].hunk == line[from].hunk; to++)
            ;
        fits = choose_context(f, from, to, &context);
        for (i = from; i < to; i++) {
            line[i].fits = fits;
            if (line[i].near <= context
                && (fits || line[i].near == 0
                    || render_cost(l, i) <= f->room / 4))
                render_lines_add(&w->cut, &line[i]);
        }
    }
    render_lines_swap(l, &w->cut);
}

/* A part that begins with that line, so far of that one, with its scope if
 * there is room for it; returns what it leaves. */
static uint64_t
begin_part(struct fitting *f, size_t from, struct render_part *part)
{
    uint64_t scope;

    *part = part_of(&f->w->lines, from, from + 1, RENDER_ALL);
    part->first = f->out->kept.records == 0;
    scope = render_measure(f->r, f->w, part->scope.p, part->scope.n);
    if (scope <= f->room / 4)
        return f->room - scope;
    part->scope.n = 0;
    return f->room;
}

/* Encodes the longest good part that begins there; false if not even one
 * line fits. One of which much more is left than it seemed is measured again:
 * fragments may take more tokens than the line did with them in it, and all
 * that is left would be encoded again behind each fragment. */
static bool
encode_part(struct fitting *f, size_t from, struct render_part *part)
{
    struct render_lines *l = &f->w->lines;
    struct render_line *line = &l->line[from];
    uint64_t room = begin_part(f, from, part), over, cost;

    cost = render_cost(l, from);
    if (cost - cost / 4 > room)
        return false;
    for (;; room = cost > over ? cost - over : 0) {
        part->to = render_cut(l, from, room);
        if (encode(f, part))
            return true;
        if (part->to == from + 1)
            break;
        cost = render_cost_of(l, from, part->to);
        over = f->w->out.ids.n - f->r->max_tokens + cost / 64;
    }
    if (f->w->out.ids.n - f->r->max_tokens > f->room)
        line->tokens = measure_line(f, line);
    return false;
}

/* Encodes as much as fits of a line that does not, which then is that line;
 * *whole is what it was. False if nothing fits. */
static bool
encode_fragment(struct fitting *f, size_t from, struct render_part *part,
                struct render_line *whole)
{
    struct render_line *line = &f->w->lines.line[from];
    uint64_t room = begin_part(f, from, part), tokens, over;
    bool fits = false;

    *whole = *line;
    line->ends = false;
    while (!fits && room > 0) {
        tokens = room;
        line->n = (uint32_t)render_prefix(f->r, f->w, whole->p, whole->n,
                                          &tokens);
        if (line->n == 0)
            break;
        over = room / 8 + 1;
        if (line->n < whole->n) {
            line->tokens = (uint32_t)tokens;
            fits = encode(f, part);
            over = f->w->out.ids.n - f->r->max_tokens;
        }
        room = room > over ? room - over : 0;
    }
    if (!fits)
        *line = *whole;
    return fits;
}

/* What is left of a line of which a fragment is done. */
static void
go_on(struct render_line *line, const struct render_line *whole)
{
    uint32_t done = line->tokens, n = line->n;

    *line = *whole;
    line->p += n;
    line->n -= n;
    line->begins = false;
    line->tokens = line->tokens > done ? line->tokens - done : 1;
}

static int
cut(struct fitting *f, struct err *e)
{
    struct render_lines *l = &f->w->lines;
    struct render_line whole;
    struct render_part part;
    bool leaving = false;
    size_t from;
    int rc = 0;

    choose_lines(f);
    for (from = 0; from < l->n && rc == 0; from = part.to) {
        if (encode_part(f, from, &part)) {
            rc = keep(f, &part, e);
            leaving = false;
        } else if (encode_fragment(f, from, &part, &whole)) {
            rc = keep(f, &part, e);
            go_on(&l->line[from], &whole);
            part.to = from;
            leaving = false;
        } else {
            leave(f, RENDER_LONG, edited(f, from, from + 1),
                  render_cost(l, from));
            f->out->left[RENDER_LONG].records -= leaving;
            leaving = true;
        }
    }
    return rc;
}

/* ---- the record ---- */

/* The record is over the limit with all that it has. */
static int
fit_less(struct fitting *f, struct err *e)
{
    struct render_worker *w = f->w;
    struct render_part part;

    if (w->rec.kind != TEXT_COMMIT)
        render_lines_of_text(&w->lines, w->whole.p, w->whole.n, true);
    measure(f);
    if (find_room(f) && w->rec.kind == TEXT_COMMIT && shrink(f, &part))
        return keep(f, &part, e);
    if (f->room < f->r->max_tokens / 2 && w->message.len > 0) {
        shorten_message(f, f->r->max_tokens - f->room);
        find_room(f);
    }
    if (f->room > 0)
        return cut(f, e);
    leave(f, RENDER_LONG, edited(f, 0, w->lines.n),
          cost_with(&w->lines, 0, w->lines.n, MOST_CONTEXT));
    return 0;
}

int
render_fit(const struct render *r, struct render_worker *w,
           enum template_kind kind, const struct tokens_origin *origin,
           struct render_result *out, struct err *e)
{
    struct fitting f = { .r = r, .w = w, .kind = kind, .origin = origin,
                         .out = out };
    struct render_part whole = part_of(&w->lines, 0, w->lines.n, RENDER_ALL);

    if (encode(&f, &whole))
        return keep(&f, &whole, e);
    return fit_less(&f, e);
}
