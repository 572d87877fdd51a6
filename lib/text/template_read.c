/* template_read.c - a layout file, line by line.
 *
 * The first word of a line says what it is: records, loss, family, token, gap
 * or variant; any other line is a part of the body. Families that follow each
 * other wait for the body below them.
 */
#include "text/template_read.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/template_reader.h"

/* ---- items ---- */

static int
add_item(struct reader *r, const struct layout_item *it)
{
    struct layout *l = r->l;

    if (l->n_items == LAYOUT_MAX_ITEMS)
        return reader_fail(r, ERR_LIMIT, "more than %d items",
                           LAYOUT_MAX_ITEMS);
    l->item[l->n_items++] = *it;
    return 0;
}

/* The item that *w is. */
static int
read_item(struct reader *r, const struct word *w, struct layout_item *it)
{
    if (r->ended)
        return reader_fail(r, ERR_DATA, "an item behind the end");
    if (w->quoted) {
        it->kind = ITEM_TEXT;
        it->at = w->at;
        it->len = w->len;
        return 0;
    }
    if (*w->p == '@') {
        it->kind = ITEM_TOKEN;
        return reader_role(r, w, &it->of);
    }
    if (word_is(w, "apart") || word_is(w, "within")) {
        it->kind = *w->p == 'a' ? ITEM_APART : ITEM_WITHIN;
        return 0;
    }
    if (word_is(w, "end")) {
        it->kind = ITEM_END;
        r->ended = true;
        return 0;
    }
    it->kind = ITEM_FIELD;
    return reader_field(r, w, "word", &it->of);
}

/* The items from *w on, all like `it`. */
static int
read_items(struct reader *r, struct word *w, struct layout_item it)
{
    int rc;

    do {
        rc = read_item(r, w, &it);
        if (rc == 0)
            rc = add_item(r, &it);
        if (rc == 0)
            rc = reader_word(r, w);
    } while (rc > 0);
    return rc;
}

static int
read_gap(struct reader *r)
{
    struct layout *l = r->l;
    struct layout_item it = { .kind = ITEM_TEXT };
    struct layout_family *f;
    struct word w;
    int rc;

    if (l->n_families == 0 || r->in_body)
        return reader_fail(r, ERR_DATA, "a gap belongs right below a family");
    f = reader_last_family(r);
    if (f->n_gap > 0)
        return reader_fail(r, ERR_DATA, "a second gap of family %s", f->name);
    rc = reader_word(r, &w);
    if (rc == 0)
        return reader_fail(r, ERR_DATA, "a gap of nothing");
    f->gap = l->n_items;
    if (rc > 0)
        rc = read_items(r, &w, it);
    f->n_gap = l->n_items - f->gap;
    for (size_t i = f->gap; rc == 0 && i < l->n_items; i++)
        if (l->item[i].kind != ITEM_TEXT && l->item[i].kind != ITEM_TOKEN)
            return reader_fail(r, ERR_DATA, "a gap has tokens and text alone");
    return rc;
}

/* ---- bodies ---- */

static struct layout_body *
last_body(struct reader *r)
{
    return &r->l->body[r->l->n_bodies - 1];
}

static struct layout_variant *
last_variant(struct reader *r)
{
    return &last_body(r)->variant[last_body(r)->n - 1];
}

/* Something is learned of each of its variants. */
static int
close_body(struct reader *r)
{
    const struct layout_body *b = last_body(r);
    const struct layout_variant *v;
    size_t i;

    for (v = b->variant; v < b->variant + b->n; v++) {
        for (i = 0; i < v->n && !r->l->item[v->first + i].learned; i++)
            continue;
        if (i == v->n)
            return reader_fail(r, ERR_DATA, "nothing is learned of %s %s "
                               "above (expected learn)",
                               v->name[0] ? "variant" : "family",
                               v->name[0] ? v->name :
                               reader_last_family(r)->name);
    }
    return 0;
}

/* Begins a variant, and the body if there is none. */
static int
open_variant(struct reader *r, const char *name)
{
    struct layout *l = r->l;
    struct layout_body *b;

    if (l->n_families == 0)
        return reader_fail(r, ERR_DATA, "a part above the first family");
    if (!r->in_body)
        l->n_bodies++;
    r->in_body = true;
    r->ended = false;
    b = last_body(r);
    if (b->n > 0 && b->variant[0].name[0] == '\0')
        return reader_fail(r, ERR_DATA, "parts stand above the first variant");
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->variant[i].name, name) == 0)
            return reader_fail(r, ERR_DATA, "a second variant %s", name);
    if (b->n == LAYOUT_MAX_VARIANTS)
        return reader_fail(r, ERR_LIMIT, "more than %d variants",
                           LAYOUT_MAX_VARIANTS);
    b->n++;
    memcpy(last_variant(r)->name, name, strlen(name) + 1);
    last_variant(r)->first = l->n_items;
    return 0;
}

static int
read_variant(struct reader *r)
{
    char name[LAYOUT_MAX_NAME + 1];
    int rc = reader_name(r, "variant", name);

    if (rc == 0)
        rc = open_variant(r, name);
    return rc == 0 ? reader_line_ends(r) : rc;
}

/* if FIELD, unless FIELD */
static int
read_condition(struct reader *r, field_set *set)
{
    struct word w;
    uint8_t field;
    int rc = reader_word(r, &w);

    if (rc == 0)
        return reader_fail(r, ERR_DATA, "a condition without its field");
    if (rc > 0)
        rc = reader_field(r, &w, "field", &field);
    if (rc == 0)
        *set |= 1u << field;
    return rc;
}

static int
read_part(struct reader *r, struct word *w)
{
    struct layout_item it = { .kind = ITEM_TEXT };
    int rc = r->in_body ? 0 : open_variant(r, "");

    if (rc < 0)
        return rc;
    for (rc = 1; rc > 0;) {
        if (word_is(w, "learn"))
            it.learned = true;
        else if (word_is(w, "if"))
            rc = read_condition(r, &it.present);
        else if (word_is(w, "unless"))
            rc = read_condition(r, &it.absent);
        else
            break;
        if (rc >= 0)
            rc = reader_word(r, w);
        if (rc == 0)
            return reader_fail(r, ERR_DATA, "a part of nothing");
    }
    if (rc > 0)
        rc = read_items(r, w, it);
    last_variant(r)->n = r->l->n_items - last_variant(r)->first;
    return rc;
}

static int
read_line(struct reader *r)
{
    struct word w;
    int rc = reader_word(r, &w);

    if (rc <= 0 || *w.p == '#')
        return rc < 0 ? rc : 0;
    if (word_is(&w, "records"))
        return reader_records(r);
    if (word_is(&w, "loss"))
        return reader_loss(r);
    if (word_is(&w, "family")) {
        rc = r->in_body ? close_body(r) : 0;
        return rc == 0 ? reader_family(r) : rc;
    }
    if (word_is(&w, "token"))
        return reader_token(r);
    if (word_is(&w, "gap"))
        return read_gap(r);
    if (word_is(&w, "variant"))
        return read_variant(r);
    return read_part(r, &w);
}

/* ---- the file ---- */

static int
read_lines(struct reader *r, const char *text, size_t n)
{
    const char *end = text + n;
    int rc = 0;

    for (r->p = text; rc == 0 && r->p < end; r->p = r->end + 1) {
        r->line++;
        r->end = memchr(r->p, '\n', (size_t)(end - r->p));
        r->end = r->end ? r->end : end;
        rc = read_line(r);
    }
    if (rc < 0)
        return rc;
    if (r->l->n_families == 0)
        return err_set(r->e, ERR_DATA, "%s: no family", r->where);
    if (!r->in_body)
        return reader_fail(r, ERR_DATA, "family %s has no parts",
                           reader_last_family(r)->name);
    return close_body(r);
}

int
template_read(struct layout *l, const char *text, size_t n,
              const char *where, struct err *e)
{
    struct reader r = { .l = l, .where = where, .e = e };
    size_t good;
    int rc;

    layout_init(l);
    if (n > LAYOUT_MAX_FILE)
        return err_set(e, ERR_LIMIT, "%s: %zu bytes (expected at most %u)",
                       where, n, LAYOUT_MAX_FILE);
    good = utf8_valid(text, n);
    if (good < n || memchr(text, '\0', n))
        return err_set(e, ERR_DATA, "%s: no text (expected UTF-8 without "
                       "NUL)", where);
    l->id = id_of(text, n);
    l->family = mem_array(LAYOUT_MAX_FAMILIES, sizeof(l->family[0]));
    l->body = mem_array(LAYOUT_MAX_FAMILIES, sizeof(l->body[0]));
    l->item = mem_array(LAYOUT_MAX_ITEMS, sizeof(l->item[0]));
    rc = read_lines(&r, text, n);
    if (rc < 0)
        layout_release(l);
    else if (l->records == 0)
        l->records = UINT32_MAX;
    return rc;
}
