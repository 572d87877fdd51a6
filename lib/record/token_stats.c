/* token_stats.c - sums over what records became; every number is a count, so
 * they are the same at any number of threads. */
#include "record/token_stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/lengths.h"

void
token_stats_init(struct token_stats *s, const struct tokenizer *t)
{
    struct buf one;

    memset(s, 0, sizeof(*s));
    s->t = t;
    s->length = mem_array(t->n, sizeof(*s->length));
    s->used = mem_array(t->n, sizeof(*s->used));
    map_init(&s->langs);
    buf_init(&one);
    for (uint32_t i = 0; i < t->n; i++) {
        buf_reset(&one);
        tokenizer_decode(t, &i, 1, &one);
        s->length[i] = tokenizer_special(t, i) ? 0 : (uint32_t)one.len;
    }
    buf_release(&one);
}

void
token_stats_release(struct token_stats *s)
{
    free(s->length);
    free(s->used);
    free(s->lang);
    free(s->ids);
    map_release(&s->langs);
    memset(s, 0, sizeof(*s));
}

/* ---- adding ---- */

static struct token_sums *
sums_of(struct token_stats *s, const struct render_result *r)
{
    struct map_entry *m;
    bool added;

    if (!r->lang || utf8_valid(r->lang, r->n_lang) != r->n_lang) {
        s->nameless = true;
        return &s->none;
    }
    m = map_put(&s->langs, r->lang, r->n_lang, s->langs.n, &added);
    if (added && s->langs.n > s->cap_langs) {
        s->cap_langs = s->cap_langs * 2 + 16;
        s->lang = mem_grow(s->lang, s->cap_langs * sizeof(*s->lang));
    }
    if (added)
        memset(&s->lang[m->value], 0, sizeof(*s->lang));
    return &s->lang[m->value];
}

static void
sums_add(struct token_sums *to, const struct token_sums *by)
{
    to->texts += by->texts;
    to->lost += by->lost;
    render_count_add(&to->there, &by->there);
    render_count_add(&to->kept, &by->kept);
    render_count_add(&to->left, &by->left);
    to->learned += by->learned;
    to->text += by->text;
    to->bytes += by->bytes;
}

/* The tokens of a token record, which r has made. */
static void
add_tokens(struct token_stats *s, const char *p, size_t n,
           enum tokens_loss loss, struct token_sums *sums)
{
    struct record_length length;
    struct tokens t;
    struct err ignored;

    if (tokens_decode(&t, p, n, 0, &ignored) < 0)
        return;
    if (t.n > s->cap_ids) {
        s->cap_ids = t.n + t.n / 2;
        s->ids = mem_grow(s->ids, s->cap_ids * sizeof(*s->ids));
    }
    tokens_ids(&t, s->ids);
    length = length_of(&t);
    sums->learned += length_learned(&length, loss);
    for (size_t i = 0; i < t.n; i++) {
        uint32_t id = s->ids[i];

        s->used[id]++;
        sums->bytes += s->length[id];
        sums->text += !tokenizer_special(s->t, id);
    }
}

void
token_stats_add(struct token_stats *s, const struct render_result *r,
                enum tokens_loss loss)
{
    struct token_sums sums = {.texts = 1, .lost = r->n == 0,
                              .there = r->there, .kept = r->kept};
    size_t i, at = 0;

    for (i = 0; i < RENDER_REASONS; i++) {
        render_count_add(&sums.left, &r->left[i]);
        render_count_add(&s->left[i], &r->left[i]);
    }
    for (i = 0; i < r->n; at = r->end[i++])
        add_tokens(s, r->tokens.data + at, r->end[i] - at, loss, &sums);
    sums_add(&s->all, &sums);
    sums_add(sums_of(s, r), &sums);
    s->lost += r->lost;
}

/* ---- telling ---- */

static double
ratio(uint64_t a, uint64_t b)
{
    return b > 0 ? (double)a / (double)b : 0;
}

/* Of what there was, the share that was left out. */
static void
shares(const struct token_sums *s, double out[3])
{
    out[0] = ratio(s->lost, s->texts);
    out[1] = ratio(s->left.edited, s->there.edited);
    out[2] = ratio(s->left.tokens, s->left.tokens + s->kept.tokens);
}

static void
put_count(struct buf *b, const struct render_count *c)
{
    buf_addf(b, "{\"parts\": %" PRIu64 ", \"edited_lines\": %" PRIu64
             ", \"tokens\": %" PRIu64 "}", c->records, c->edited, c->tokens);
}

/* The members that a language and all of them have. */
static void
put_sums(struct buf *b, const struct token_sums *s)
{
    double share[3];

    shares(s, share);
    buf_addf(b, "\"texts\": %" PRIu64 ", \"edited_lines\": %" PRIu64
             ", \"tokens\": %" PRIu64 ", \"learned\": %" PRIu64
             ", \"bytes\": %" PRIu64, s->texts, s->there.edited,
             s->kept.tokens, s->learned, s->bytes);
    json_put_number(b, "tokens_per_part",
                    ratio(s->kept.tokens, s->kept.records));
    json_put_number(b, "bytes_per_token", ratio(s->bytes, s->text));
    buf_addstr(b, ", \"kept\": ");
    put_count(b, &s->kept);
    buf_addstr(b, ", \"left_out\": ");
    put_count(b, &s->left);
    json_put_number(b, "left_out_texts", share[0]);
    json_put_number(b, "left_out_edited_lines", share[1]);
    json_put_number(b, "left_out_tokens", share[2]);
}

struct named {
    const char *name; /* NULL: no language */
    size_t n;
    const struct token_sums *sums;
};

/* Those with most tokens first, else by name. */
static int
compare(const void *pa, const void *pb)
{
    const struct named *a = pa, *b = pb;
    uint64_t x = a->sums->kept.tokens, y = b->sums->kept.tokens;
    int order;

    if (x != y)
        return x < y ? 1 : -1;
    if (!a->name || !b->name)
        return (a->name != NULL) - (b->name != NULL);
    order = memcmp(a->name, b->name, a->n < b->n ? a->n : b->n);
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

static void
put_languages(struct buf *b, const struct token_stats *s)
{
    struct named *list = mem_array(s->langs.n + 1, sizeof(*list));
    size_t i, n = 0;

    for (i = 0; i < s->langs.n; i++)
        list[n++] = (struct named){map_key(&s->langs, i),
                                   s->langs.entry[i].len,
                                   &s->lang[s->langs.entry[i].value]};
    if (s->nameless)
        list[n++] = (struct named){.sums = &s->none};
    qsort(list, n, sizeof(*list), compare);
    buf_addstr(b, ",\n \"languages\": [");
    for (i = 0; i < n; i++) {
        buf_addstr(b, i > 0 ? ",\n  {\"lang\": " : "\n  {\"lang\": ");
        if (list[i].name)
            json_put_string(b, list[i].name, list[i].n);
        else
            buf_addstr(b, "null");
        buf_addstr(b, ", ");
        put_sums(b, list[i].sums);
        buf_addc(b, '}');
    }
    buf_addstr(b, "\n ]");
    free(list);
}

static uint64_t
n_unused(const struct token_stats *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->t->n; i++)
        n += s->used[i] == 0;
    return n;
}

void
token_stats_json(const struct token_stats *s, uint64_t records,
                 struct buf *b)
{
    const char *comma = "";

    buf_addf(b, "{\"records\": %" PRIu64 ", ", records);
    put_sums(b, &s->all);
    buf_addf(b, ",\n \"vocabulary\": %" PRIu32 ", \"unused\": %" PRIu64
             ", \"bytes_without_token\": %" PRIu64 ",\n \"reasons\": {",
             s->t->n, n_unused(s), s->lost);
    for (int i = 0; i < RENDER_REASONS; i++, comma = ", ") {
        buf_addf(b, "%s\"%s\": ", comma, render_left_name(i));
        put_count(b, &s->left[i]);
    }
    buf_addc(b, '}');
    put_languages(b, s);
    buf_addstr(b, "\n}\n");
}

void
token_stats_line(const struct token_stats *s, uint64_t records,
                 struct buf *b)
{
    double share[3];

    shares(&s->all, share);
    buf_addf(b, "%" PRIu64 " tokens, %.1f a record, %.2f bytes each; left "
             "out: %.2f%% of records, %.2f%% of edited lines, %.2f%% of "
             "tokens; %" PRIu64 " of %" PRIu32 " tokens never used",
             s->all.kept.tokens, ratio(s->all.kept.tokens, records),
             ratio(s->all.bytes, s->all.text), 100 * share[0],
             100 * share[1], 100 * share[2], n_unused(s), s->t->n);
}
