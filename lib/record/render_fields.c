/* render_fields.c - the fields that a layout wants of a part of a record, as
 * pieces: where the text lies in the record they point there, and each says
 * whether it is learned.
 */

#include "base/mem.h"
#include "record/render_parts.h"

/* ---- pieces ---- */

static struct template_piece *
add_piece(struct render_pieces *s)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->piece = mem_grow(s->piece, s->cap * sizeof(s->piece[0]));
    }
    return &s->piece[s->n++];
}

/* Appends p[n], to the piece before if that ends there. */
static void
put(struct render_pieces *s, const char *p, size_t n, bool loss, bool marks)
{
    struct template_piece *last = s->n > 0 ? &s->piece[s->n - 1] : NULL;

    if (last && last->p && last->p + last->n == p && last->loss == loss)
        last->n += n;
    else
        *add_piece(s) = (struct template_piece){ p, n, loss, marks };
}

static void
put_gap(struct render_pieces *s)
{
    *add_piece(s) = (struct template_piece){ .p = NULL };
}

/* An empty list is a field that is there and empty. */
static void
set_pieces(struct template_input *in, enum template_field field,
           struct render_pieces *s)
{
    if (!s->piece) {
        add_piece(s);
        s->n = 0;
    }
    in->field[field] = (struct template_value){ s->piece, s->n };
}

/* ---- lines ---- */

/* The next line of the part from line i on that is shown, or part->to. */
static size_t
next_shown(const struct render_lines *l, const struct render_part *part,
           size_t i)
{
    while (i < part->to && l->line[i].near > part->context)
        i++;
    return i;
}

void
render_sides(struct render_worker *w, const struct render_part *part,
             bool marks)
{
    const struct render_line *line = w->lines.line;
    struct render_pieces *side = w->pieces;
    size_t i, last = SIZE_MAX;

    side[0].n = side[1].n = 0;
    for (i = next_shown(&w->lines, part, part->from); i < part->to;
         i = next_shown(&w->lines, part, i + 1)) {
        if (last != SIZE_MAX && !render_lines_follow(&line[last], &line[i])) {
            put_gap(&side[0]);
            put_gap(&side[1]);
        }
        if (line[i].kind != '+')
            put(&side[0], line[i].p, line[i].n, false, marks);
        if (line[i].kind != '-')
            put(&side[1], line[i].p, line[i].n,
                line[i].near <= RENDER_AROUND, marks);
        last = i;
    }
}

/* ---- the unified diff ---- */

/* A hunk's header is made in w->made, which moves as it grows: its piece has
 * no address until all of them are made. */
static void
put_header(struct render_worker *w, struct render_pieces *s,
           const uint64_t at[2], const uint64_t count[2],
           const struct change_scope *scope, bool loss)
{
    const uint64_t start[2] = { at[0] + (count[0] > 0),
                                at[1] + (count[1] > 0) };
    size_t before = w->made.len;

    change_put_header(&w->made, start, count, scope);
    *add_piece(s) = (struct template_piece){ NULL, w->made.len - before, loss,
                                             false };
}

static void
find_headers(struct render_pieces *s, const char *made)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->piece[i].p || s->piece[i].n == 0)
            continue;
        s->piece[i].p = made;
        made += s->piece[i].n;
    }
}

/* Where the lines end that one header is for, and how many there are on each
 * side; a line of which only fragments are shown is one. */
static size_t
hunk_end(const struct render_lines *l, const struct render_part *part,
         size_t i, uint64_t count[2])
{
    const struct render_line *line = l->line;
    size_t last = i, first = i;

    count[0] = count[1] = 0;
    for (; i < part->to; last = i, i = next_shown(l, part, i + 1)) {
        if (i > first && (line[i].hunk != line[last].hunk
                          || !render_lines_follow(&line[last], &line[i])))
            break;
        for (int s = 0; s < 2; s++)
            count[s] += render_on_side(&line[i], s)
                && (line[i].begins || i == first);
    }
    return last + 1;
}

/* A unified diff in the making. */
struct diff {
    struct render_pieces *to;
    const struct render_line *line;
    uint32_t context;
    bool marks, all; /* as render_diff has them */
};

/* Text of a line of that kind. */
static void
put_of_kind(const struct diff *d, char kind, const char *p, size_t n)
{
    put(d->to, p, n, d->all || kind != ' ', d->marks);
}

/* first: of what is shown of its kind. */
static void
put_line(const struct diff *d, const struct render_line *line, bool first)
{
    static const char no_newline[] = "\n" CHANGE_NO_NEWLINE;

    if (line->begins) /* its mark stands before it in the encoded change */
        put_of_kind(d, line->kind, line->p - 1, 1);
    else if (first)
        put_of_kind(d, line->kind, line->kind == '-' ? "-" : "+", 1);
    put_of_kind(d, line->kind, line->p, line->n);
    if (line->ends && (line->n == 0 || line->p[line->n - 1] != '\n'))
        put_of_kind(d, line->kind, no_newline, sizeof(no_newline) - 1);
}

/* Those of lines [from, to) that are of that kind, all of one run. A line that
 * goes on in another part ends here, too. */
static void
put_kind(const struct diff *d, size_t from, size_t to, char kind)
{
    const struct render_line *line = d->line;
    bool first = true, cut = false;

    for (size_t i = from; i < to; i++) {
        if (line[i].kind != kind || line[i].near > d->context)
            continue;
        put_line(d, &line[i], first);
        first = false;
        cut = !line[i].ends;
    }
    if (cut)
        put_of_kind(d, kind, "\n", 1);
}

/* Lines [from, to): of each run the removed ones come first. */
static void
put_lines(const struct diff *d, size_t from, size_t to)
{
    const struct render_line *line = d->line;
    size_t end;

    for (; from < to; from = end) {
        for (end = from; end < to && line[end].run == line[from].run; end++)
            ;
        put_kind(d, from, end, ' ');
        put_kind(d, from, end, '-');
        put_kind(d, from, end, '+');
    }
}

static void
put_file_head(struct render_worker *w, struct render_pieces *s, bool loss)
{
    const struct text_field *path = text_get(&w->rec, "path");
    const struct text_field *old = text_get(&w->rec, "old_path");

    buf_reset(&w->made);
    change_put_file(&w->made, w->lines.present, w->lines.n > 0,
                    path ? path->data : "", path ? path->len : 0,
                    old ? old->data : NULL, old ? old->len : 0);
    *add_piece(s) = (struct template_piece){ NULL, w->made.len, loss, false };
}

void
render_diff(struct render_worker *w, const struct render_part *part,
            bool marks, bool all)
{
    struct render_pieces *s = &w->pieces[0];
    const struct render_lines *l = &w->lines;
    const struct diff d = { .to = s, .line = l->line,
                            .context = part->context, .marks = marks,
                            .all = all };
    struct change_scope scope;
    uint64_t count[2];
    size_t i, end;

    put_file_head(w, s, all);
    for (i = next_shown(l, part, part->from); i < part->to;
         i = next_shown(l, part, end)) {
        end = hunk_end(l, part, i, count);
        scope = render_lines_scope(l, i);
        put_header(w, s, l->line[i].at, count, &scope, all);
        put_lines(&d, i, end);
    }
    find_headers(s, w->made.data);
}

/* ---- fields ---- */

static void
set_field(struct template_input *in, enum template_field field,
          const struct text_rec *r, const char *name)
{
    const struct text_field *f = text_get(r, name);

    if (f)
        template_set(in, field, f->data, f->len);
}

void
render_fields_where(const struct render_worker *w, struct template_input *in)
{
    set_field(in, FIELD_REPO, &w->rec, "repo");
    set_field(in, FIELD_PATH, &w->rec, "path");
}

/* A conversation as plain text, into w->text. */
static void
make_chat(struct render_worker *w)
{
    struct text_message m;
    const char *gap = "";
    size_t at = 0;

    buf_reset(&w->text);
    for (; text_next_message(&w->rec, &at, &m); gap = "\n\n") {
        buf_addstr(&w->text, gap);
        buf_add(&w->text, m.content->data, m.content->len);
    }
}

void
render_fields_begin(struct render_worker *w)
{
    const struct text_field *f = text_get(&w->rec, "text");

    buf_reset(&w->message);
    text_commit_message(&w->message, &w->rec);
    w->n_message = w->message.len;
    w->whole = (struct template_piece){ .p = f ? f->data : "",
                                        .n = f ? f->len : 0 };
    if (w->rec.kind == TEXT_CHAT) {
        make_chat(w);
        w->whole = (struct template_piece){ .p = w->text.data,
                                            .n = w->text.len };
    }
}

/* The message of each part; what it teaches it teaches once, save where it
 * is all that the layout teaches. */
static void
set_message(struct render_worker *w, enum template_kind kind,
            const struct render_part *part, struct template_input *in)
{
    template_set(in, FIELD_MESSAGE, w->message.data, w->n_message);
    in->whole[FIELD_MESSAGE].loss = part->first || kind == TEMPLATE_MESSAGE;
}

static void
set_sides(struct render_worker *w, const struct render_part *part,
          struct template_input *in)
{
    render_sides(w, part, in->marks);
    if (w->lines.present[CHANGE_BEFORE])
        set_pieces(in, FIELD_BEFORE, &w->pieces[0]);
    if (w->lines.present[CHANGE_AFTER])
        set_pieces(in, FIELD_AFTER, &w->pieces[1]);
}

/* A commit as plain text, all of which is learned, the message once. */
static void
set_plain_commit(struct render_worker *w, const struct render_part *part,
                 struct template_input *in)
{
    struct render_pieces *s = &w->pieces[0];

    s->n = 0;
    put(s, w->message.data, w->n_message, part->first, in->marks);
    put(s, "\n\n", 2, part->first, in->marks);
    render_diff(w, part, in->marks, true);
    set_pieces(in, FIELD_TEXT, s);
}

/* Lines of a text lie one behind the other. */
static void
set_text(struct render_worker *w, const struct render_part *part,
         struct template_input *in)
{
    const struct render_line *line = w->lines.line;

    if (part->from < part->to)
        template_set(in, FIELD_TEXT, line[part->from].p,
                     (size_t)(line[part->to - 1].p + line[part->to - 1].n -
                              line[part->from].p));
    else
        template_set(in, FIELD_TEXT, "", 0);
}

void
render_fields(struct render_worker *w, enum template_kind kind,
              const struct render_part *part, struct template_input *in)
{
    bool commit = w->rec.kind == TEXT_COMMIT;

    render_fields_where(w, in);
    if (part->scope.n > 0)
        template_set(in, FIELD_SCOPE, part->scope.p, part->scope.n);
    if (commit)
        set_message(w, kind, part, in);
    switch (kind) {
    case TEMPLATE_COMMIT:
        set_sides(w, part, in);
        break;
    case TEMPLATE_MESSAGE:
    case TEMPLATE_REVIEW:
        w->pieces[0].n = 0;
        render_diff(w, part, in->marks, false);
        set_pieces(in, FIELD_DIFF, &w->pieces[0]);
        break;
    case TEMPLATE_CHAT: /* render_chat has its text */
        break;
    default:
        if (commit)
            set_plain_commit(w, part, in);
        else
            set_text(w, part, in);
        break;
    }
}
