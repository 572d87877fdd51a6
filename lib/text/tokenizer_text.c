/* tokenizer_text.c - what a tokenizer.json does to a text besides cutting it:
 * the normaliser, Metaspace, and the decoder that undoes both.
 *
 * How a text is decoded follows from how it was encoded; the decoder of the
 * file is looked at to see that it is of the same kind.
 */
#include <string.h>

#include "base/utf8.h"
#include "text/tokenizer_parts.h"
#include "text/tokenizer_read.h"

#define MAX_GROWTH 16 /* of a text by its normaliser, times */

static int
not_supported(const struct tokenizer_part *p, const char *what,
              const char *known, struct err *e)
{
    return json_error(&p->at, e, "%s \"%.100s\" is not supported (%s)", what,
                      p->type.data, known);
}

/* ---- the normaliser ---- */

/* *growth: how much longer a text may be after the steps so far. */
static int
add_replace(struct tokenizer *t, const struct tokenizer_part *p,
            size_t *growth, struct err *e)
{
    struct normal_step *s;

    if (p->regex || p->pattern.len == 0)
        return json_error(&p->at, e, "normalizer Replace is supported of a "
                          "string only, and not of an empty one");
    *growth *= (p->content.len + p->pattern.len - 1) / p->pattern.len + 1;
    if (*growth > MAX_GROWTH)
        return json_error(&p->at, e, "normalizers that make a text over %d "
                          "times as long are not supported", MAX_GROWTH);
    s = normalizer_insert(&t->normal, t->normal.n, NORMAL_REPLACE);
    buf_add(&s->from, p->pattern.data, p->pattern.len);
    buf_add(&s->to, p->content.data, p->content.len);
    return 0;
}

static int
add_normalizer(struct tokenizer *t, const struct tokenizer_part *p,
               size_t *growth, struct err *e)
{
    static const char *const form[] = { "NFC", "NFD", "NFKC", "NFKD" };
    struct normal_step *s;

    if (buf_is(&p->type, "Replace"))
        return add_replace(t, p, growth, e);
    for (int i = 0; i <= FORM_NFKD; i++)
        if (buf_is(&p->type, form[i])) {
            s = normalizer_insert(&t->normal, t->normal.n, NORMAL_FORM);
            s->form = (enum form)i;
            return 0;
        }
    if (!buf_is(&p->type, "Prepend"))
        return not_supported(p, "normalizer", "NFC, NFD, NFKC, NFKD, Prepend, "
                             "Replace and Sequence are", e);
    s = normalizer_insert(&t->normal, t->normal.n, NORMAL_PREPEND);
    buf_add(&s->to, p->prepend.data, p->prepend.len);
    return 0;
}

int
tokenizer_read_normalizer(struct tokenizer *t, struct json *j, struct err *e)
{
    struct tokenizer_parts s;
    size_t i, growth = 1;
    int rc = tokenizer_parts_read(&s, "normalizer", j, e);

    if (rc < 0)
        return rc;
    for (i = 0; i < s.n && rc == 0; i++)
        rc = add_normalizer(t, &s.part[i], &growth, e);
    tokenizer_parts_release(&s);
    return rc;
}

/* ---- the blank ---- */

/* The only character of the text, or 0. */
static uint32_t
only_char(const struct buf *b)
{
    uint32_t code;

    return b->len > 0 && utf8_decode(b->data, &code) == b->len ? code : 0;
}

/* The character that the last step turns each blank into, or 0. */
static uint32_t
normal_blank(const struct normalizer *z)
{
    const struct normal_step *last = z->n > 0 ? &z->step[z->n - 1] : NULL;

    return last && last->kind == NORMAL_REPLACE && buf_is(&last->from, " ") ?
           only_char(&last->to) : 0;
}

/* Makes the step turn that character into a blank. */
static void
fold(struct normal_step *s, uint32_t code)
{
    char utf8[4];
    size_t n = utf8_encode(code, utf8);

    buf_reset(&s->from);
    buf_add(&s->from, utf8, n);
    buf_reset(&s->to);
    buf_addc(&s->to, ' ');
}

int
tokenizer_settle_blank(struct tokenizer *t, const struct json *j,
                       struct err *e)
{
    struct normalizer *z = &t->normal;
    uint32_t blank = t->chars.on ? normal_blank(z) : 0;
    struct normal_step *s;
    size_t i;

    for (i = 0; i < z->n; i++) {
        s = &z->step[i];
        if (s->kind != NORMAL_PREPEND)
            continue;
        if (blank == 0 || i + 2 != z->n || t->chars.metaspace
            || (only_char(&s->to) != blank && !buf_is(&s->to, " ")))
            return json_error(j, e, "normalizer Prepend is supported of the "
                              "blank only, right before it is replaced and "
                              "without a pre-tokenizer");
        buf_reset(&s->to);
        buf_addc(&s->to, ' ');
        t->chars.prepends = true;
    }
    if (blank == 0)
        return 0;
    if (t->chars.metaspace && t->chars.blank != blank)
        return json_error(j, e, "normalizer and Metaspace that replace the "
                          "blank by different characters are not supported");
    fold(&z->step[z->n - 1], blank);
    if (!t->chars.metaspace)
        fold(normalizer_insert(&t->chars.fold, 0, NORMAL_REPLACE), blank);
    t->chars.blank = blank;
    t->chars.normal_blank = true;
    return 0;
}

/* ---- a pre-tokenizer without ByteLevel ---- */

static int
read_metaspace(struct tokenizer *t, const struct tokenizer_part *p,
               struct err *e)
{
    struct chars *c = &t->chars;

    c->blank = only_char(&p->replacement);
    if (c->blank == 0)
        return json_error(&p->at, e, "Metaspace without a character for the "
                          "blank");
    if (p->scheme.len == 0 || buf_is(&p->scheme, "always"))
        c->first = BLANK_ALWAYS;
    else if (buf_is(&p->scheme, "first"))
        c->first = BLANK_FIRST;
    else if (!buf_is(&p->scheme, "never"))
        return json_error(&p->at, e, "prepend_scheme \"%.100s\" is not "
                          "supported", p->scheme.data);
    if (!p->prefix && c->first != BLANK_NEVER)
        return json_error(&p->at, e, "add_prefix_space does not match "
                          "prepend_scheme");
    c->metaspace = true;
    c->split = p->split;
    c->prepends = c->first != BLANK_NEVER;
    fold(normalizer_insert(&c->fold, 0, NORMAL_REPLACE), c->blank);
    buf_addc(&normalizer_insert(&c->prepend, 0, NORMAL_PREPEND)->to, ' ');
    fold(normalizer_insert(&c->prepend, 1, NORMAL_REPLACE), c->blank);
    return 0;
}

/* A Split at the blank finds none where the normaliser replaces them. */
static bool
splits_nothing(const struct tokenizer *t, const struct tokenizer_part *p)
{
    return buf_is(&p->type, "Split") && !p->regex && !p->invert
           && buf_is(&p->pattern, " ") && normal_blank(&t->normal) != 0;
}

int
tokenizer_read_chars(struct tokenizer *t, struct json *j, struct err *e)
{
    struct tokenizer_parts s;
    struct json at = *j;
    size_t i;
    int rc = tokenizer_parts_read(&s, "pre-tokenizer", j, e);

    if (rc < 0)
        return rc;
    t->chars.on = true;
    for (i = 0; i < s.n && rc == 0; i++) {
        if (buf_is(&s.part[i].type, "Metaspace") && !t->chars.metaspace)
            rc = read_metaspace(t, &s.part[i], e);
        else if (!splits_nothing(t, &s.part[i]))
            rc = not_supported(&s.part[i], "pre-tokenizer", "without "
                               "ByteLevel, one Metaspace or none is", e);
    }
    tokenizer_parts_release(&s);
    if (rc == 0 && t->ignore_merges)
        rc = json_error(&at, e, "ignore_merges without ByteLevel is not "
                        "supported");
    return rc;
}

/* ---- the decoder ---- */

/* Whether the step undoes what the encoder did, or would if it had. */
static bool
undoes(const struct tokenizer *t, const struct tokenizer_part *p, bool fused)
{
    if (!t->chars.on)
        return buf_is(&p->type, "ByteLevel") || buf_is(&p->type, "Fuse");
    if (buf_is(&p->type, "Replace"))
        return !p->regex && only_char(&p->pattern) == t->chars.blank
               && t->chars.blank != 0 && buf_is(&p->content, " ");
    if (buf_is(&p->type, "Metaspace"))
        return only_char(&p->replacement) == t->chars.blank;
    if (buf_is(&p->type, "Strip"))
        return fused && buf_is(&p->content, " ") && p->start <= 1
               && p->stop == 0;
    return buf_is(&p->type, "ByteFallback") || buf_is(&p->type, "Fuse");
}

int
tokenizer_read_decoder(struct tokenizer *t, struct json *j, struct err *e)
{
    struct tokenizer_parts s;
    bool fused = false;
    size_t i;
    int rc = tokenizer_parts_read(&s, "decoder", j, e);

    if (rc < 0)
        return rc;
    for (i = 0; i < s.n && rc == 0; i++) {
        if (!undoes(t, &s.part[i], fused))
            rc = not_supported(&s.part[i], "decoder", "what undoes the "
                               "normalizer and pre-tokenizer is", e);
        fused |= buf_is(&s.part[i].type, "Fuse");
    }
    tokenizer_parts_release(&s);
    return rc;
}
