/* offsets.c - the bytes that tokens stand for, as Hugging Face's tokenizers
 * says (tests/golden/offsets.json, made by the script beside it), and what it
 * cannot say: bytes without a token, and marks in parts of a text. */
#include "text/offsets.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "text/forms.h"
#include "text/uclass.h"

#include "byte_tokenizer.h"

#define MAX_TOKENIZERS 64

/* Tokenizers by name, opened when first asked for. */
struct shelf {
    const char *shared;
    struct buf encode; /* encode.json, whose "files" are the small ones */
    struct map place;
    struct tokenizer t[MAX_TOKENIZERS];
};

static void
read_golden(struct buf *text, const char *path)
{
    struct err e;

    if (file_read(text, path, 1 << 24, &e) < 0
        || json_check(text->data, text->len, path, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
}

/* The reader before the value of a key; false: there is none. */
static bool
find_key(struct json *j, const char *key)
{
    struct buf name;
    struct err e;
    bool found = false;

    buf_init(&name);
    json_enter_object(j, &e);
    while (!found && json_next_key(j, &name)) {
        found = buf_is(&name, key);
        if (!found)
            json_skip(j);
    }
    buf_release(&name);
    return found;
}

/* NULL: a shared one, and there are none here. */
static const struct tokenizer *
take(struct shelf *s, const struct buf *name)
{
    struct map_entry *found = map_get(&s->place, name->data, name->len);
    size_t i = s->place.n;
    struct json j = json_on(s->encode.data, s->encode.len, "encode.json");
    struct buf text;
    char path[4096];
    struct err e;

    if (found)
        return &s->t[found->value];
    buf_init(&text);
    find_key(&j, "files");
    if (find_key(&j, name->data)) {
        json_string(&j, &text, &e);
    } else {
        snprintf(path, sizeof(path), "%s/tokenizers/%s/tokenizer.json",
                 s->shared, name->data);
        if (!path_exists(path)
            || file_read(&text, path, TOKENIZER_MAX_FILE, &e) < 0) {
            buf_release(&text);
            return NULL;
        }
    }
    map_put(&s->place, name->data, name->len, i, NULL);
    if (!CHECK(tokenizer_read(&s->t[i], text.data, text.len, name->data,
                              &e) == 0))
        exit(1);
    buf_release(&text);
    return &s->t[i];
}

/* To whole characters, as tokenizers counts. */
static struct text_run
widen(struct text_run r, const struct buf *text)
{
    while (r.start > 0 && ((uint8_t)text->data[r.start] & 0xc0) == 0x80)
        r.start--;
    while (r.end < text->len && ((uint8_t)text->data[r.end] & 0xc0) == 0x80)
        r.end++;
    return r;
}

/* Reads the wanted ranges and compares. A letter that was composed stands
 * for its marks, too, here, and for its first character there. */
static bool
same_ranges(struct json *j, const struct offsets *o, const struct buf *text,
            bool composed)
{
    struct text_run r;
    struct err e;
    uint64_t start, end;
    bool same = true;
    size_t n = 0;

    json_enter_array(j, &e);
    for (; json_next_item(j); n++) {
        json_u64(j, &start, &e);
        json_next_item(j);
        json_u64(j, &end, &e);
        if (n >= o->n)
            continue;
        r = widen(o->at[n], text);
        if (composed)
            same = same && r.start <= start && r.end >= end;
        else if (r.start < r.end)
            same = same && r.start == start && r.end == end;
        else /* a blank put before a text; there, of its first character */
            same = same && r.start == start;
    }
    return same && n == o->n;
}

static bool
one_case(struct shelf *s, struct json *j)
{
    const struct tokenizer *t;
    struct buf name, text;
    struct encoder en;
    struct offsets o;
    struct ids ids;
    struct err e;

    buf_init(&name);
    buf_init(&text);
    json_enter_array(j, &e);
    json_next_item(j);
    json_string(j, &name, &e);
    json_next_item(j);
    json_string(j, &text, &e);
    json_next_item(j);
    t = take(s, &name);
    if (t) {
        ids_init(&ids);
        encoder_init(&en, t);
        offsets_init(&o, t);
        encoder_add(&en, text.data, text.len, true, &ids);
        CHECK(offsets_find(&o, text.data, text.len, NULL, 0, ids.id, ids.n));
        if (!CHECK(same_ranges(j, &o, &text, t->normal.n > 0
                               && t->normal.step[0].kind == NORMAL_FORM
                               && form_needed(t->normal.step[0].form,
                                              t->uclass, text.data,
                                              text.len))))
            printf("  %s: \"%s\"\n", name.data, text.data);
        encoder_release(&en);
        offsets_release(&o);
        ids_release(&ids);
    } else {
        json_skip(j);
    }
    json_next_item(j);
    buf_release(&name);
    buf_release(&text);
    return t != NULL;
}

TEST(ranges_are_those_of_tokenizers)
{
    struct shelf s = { .shared = getenv("GRAFT_SHARED") };
    struct buf text;
    struct json j;
    struct err e;
    size_t n = 0;

    s.shared = s.shared ? s.shared : "../shared";
    buf_init(&s.encode);
    buf_init(&text);
    map_init(&s.place);
    read_golden(&s.encode, "tests/golden/encode.json");
    read_golden(&text, "tests/golden/offsets.json");
    j = json_on(text.data, text.len, "offsets.json");
    find_key(&j, "cases");
    json_enter_array(&j, &e);
    while (json_next_item(&j))
        n += one_case(&s, &j);
    CHECK(n > 150);
    for (size_t i = 0; i < s.place.n; i++)
        tokenizer_release(&s.t[i]);
    map_release(&s.place);
    buf_release(&s.encode);
    buf_release(&text);
}

/* Every id of the text has a range, in order, and between them is nothing
 * that the tokenizer has a token for. */
static void
has_ranges(const struct tokenizer *t, const char *name,
           const struct buf *text)
{
    struct encoder en;
    struct offsets o;
    struct ids ids;
    size_t last = 0;

    ids_init(&ids);
    encoder_init(&en, t);
    offsets_init(&o, t);
    for (int behind = 0; behind < 2; behind++) {
        ids.n = last = 0;
        en.segments.behind = o.segments.behind = behind;
        encoder_add(&en, text->data, text->len, true, &ids);
        if (!CHECK(offsets_find(&o, text->data, text->len, NULL, 0, ids.id,
                                ids.n)))
            printf("  %s: \"%s\"\n", name, text->data);
        for (size_t i = 0; i < o.n; i++) {
            CHECK(o.at[i].start <= o.at[i].end && o.at[i].end <= text->len);
            CHECK(o.at[i].start >= last || o.at[i].end >= last);
            CHECK(o.at[i].start <= last || en.n_lost > 0 || t->lacks_bytes);
            last = o.at[i].end > last ? o.at[i].end : last;
        }
    }
    encoder_release(&en);
    offsets_release(&o);
    ids_release(&ids);
}

/* A blank that is put before a text is put before one that begins. */
TEST(text_behind_a_token_is_not_where_a_text_begins)
{
    static const char *const names[] = {
        "llama2", "gemma", "mistral", "always", "never"
    };
    struct shelf s = { .shared = "" };
    struct ids whole, behind;
    struct encoder en;
    char name[16];

    buf_init(&s.encode);
    map_init(&s.place);
    ids_init(&whole);
    ids_init(&behind);
    read_golden(&s.encode, "tests/golden/encode.json");
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "%s", names[i]);
        encoder_init(&en, take(&s, &(struct buf){ .data = name,
                                                  .len = strlen(name) }));
        whole.n = behind.n = 0;
        encoder_add(&en, "<s>the int", 10, true, &whole);
        en.segments.behind = true;
        encoder_add(&en, "the int", 7, false, &behind);
        CHECK_EQ_U64(behind.n + 1, whole.n);
        CHECK(memcmp(behind.id, whole.id + 1, behind.n * 4) == 0);
        encoder_release(&en);
    }
    ids_release(&whole);
    ids_release(&behind);
    for (size_t i = 0; i < s.place.n; i++)
        tokenizer_release(&s.t[i]);
    map_release(&s.place);
    buf_release(&s.encode);
}

TEST(every_text_of_every_tokenizer_has_ranges)
{
    struct shelf s = { .shared = getenv("GRAFT_SHARED") };
    const struct tokenizer *t;
    struct buf name, text;
    struct json j;
    struct err e;
    size_t n = 0;

    s.shared = s.shared ? s.shared : "../shared";
    buf_init(&s.encode);
    buf_init(&name);
    buf_init(&text);
    map_init(&s.place);
    read_golden(&s.encode, "tests/golden/encode.json");
    j = json_on(s.encode.data, s.encode.len, "encode.json");
    find_key(&j, "cases");
    for (json_enter_array(&j, &e); json_next_item(&j); n++) {
        json_enter_array(&j, &e);
        json_next_item(&j);
        json_string(&j, &name, &e);
        json_next_item(&j);
        json_string(&j, &text, &e);
        json_next_item(&j);
        json_skip(&j);
        json_next_item(&j);
        t = take(&s, &name);
        if (t)
            has_ranges(t, name.data, &text);
    }
    CHECK(n > 150);
    for (size_t i = 0; i < s.place.n; i++)
        tokenizer_release(&s.t[i]);
    map_release(&s.place);
    buf_release(&s.encode);
    buf_release(&name);
    buf_release(&text);
}

/* The ranges of p[n] as "0-1 1-3", or "strange". */
static void
ranges(struct buf *b, const struct tokenizer *t, const char *p,
       const struct text_run *marks, size_t n_marks)
{
    struct encoder en;
    struct offsets o;
    struct ids ids;

    buf_reset(b);
    ids_init(&ids);
    encoder_init(&en, t);
    offsets_init(&o, t);
    encoder_add_marked(&en, p, strlen(p), marks, n_marks, &ids);
    if (!offsets_find(&o, p, strlen(p), marks, n_marks, ids.id, ids.n))
        buf_addstr(b, "strange");
    else
        for (size_t i = 0; i < o.n; i++)
            buf_addf(b, "%s%zu-%zu", i > 0 ? " " : "", o.at[i].start,
                     o.at[i].end);
    encoder_release(&en);
    offsets_release(&o);
    ids_release(&ids);
}

TEST(a_byte_without_a_token_is_in_no_range)
{
    static const char *const special[] = { "<s>", NULL };
    struct tokenizer t;
    struct buf b;

    buf_init(&b);
    byte_tokenizer(&t, special);
    t.byte['k'] = TOKEN_NONE;
    ranges(&b, &t, "kakkbk", NULL, 0);
    CHECK_STR(b.data, "1-2 4-5");
    ranges(&b, &t, "kkk", NULL, 0);
    CHECK_STR(b.data, "");
    ranges(&b, &t, "k<s>k", NULL, 0);
    CHECK_STR(b.data, "1-4");
    tokenizer_release(&t);
    buf_release(&b);
}

/* A blank put before a piece is no byte of the text, and what a step leaves
 * out is in no range. */
TEST(pieces_of_more_or_less_than_the_text_are_followed)
{
    static const char pre[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
        "\"pattern\":{\"Regex\":\"\\\\s\"},\"behavior\":\"Removed\"},"
        "{\"type\":\"ByteLevel\"},{\"type\":\"Split\",\"pattern\":"
        "{\"String\":\"b\"},\"behavior\":\"Isolated\"}]}";
    static const char *const special[] = { "<s>", NULL };
    struct tokenizer t;
    struct buf b;

    buf_init(&b);
    byte_tokenizer_behind(&t, pre, special);
    ranges(&b, &t, "a \xc3\xa4\nbc<s>x ", NULL, 0);
    CHECK_STR(b.data, "0-0 0-1 2-2 2-3 3-4 5-5 5-6 6-7 7-10 10-10 10-11");
    tokenizer_release(&t);
    buf_release(&b);
}

/* Inside a run a spelled token is the token, and nowhere else. */
TEST(marks_are_found_where_they_are_asked_for)
{
    static const char *const special[] = { "<s>", NULL };
    static const char text[] = "<s>a<s><s>b";
    const struct text_run first = { 0, 4 }, middle[] = { { 0, 3 }, { 5, 10 } };
    struct tokenizer t;
    struct buf b;

    buf_init(&b);
    byte_tokenizer(&t, special);
    ranges(&b, &t, text, NULL, 0);
    CHECK_STR(b.data, "0-3 3-4 4-7 7-10 10-11");
    ranges(&b, &t, text, &first, 0);
    CHECK_STR(b.data, "0-1 1-2 2-3 3-4 4-5 5-6 6-7 7-8 8-9 9-10 10-11");
    ranges(&b, &t, text, &first, 1);
    CHECK_STR(b.data, "0-3 3-4 4-5 5-6 6-7 7-8 8-9 9-10 10-11");
    ranges(&b, &t, text, middle, 2);
    CHECK_STR(b.data, "0-3 3-4 4-5 5-6 6-7 7-10 10-11");
    tokenizer_release(&t);
    buf_release(&b);
}

/* A mark that is looked for in the normalised text, behind one of the raw
 * text: runs are carried over. */
TEST(marks_of_the_normalised_text_too)
{
    const struct text_run runs[] = { { 0, 3 }, { 10, 13 } };
    char name[] = "strips";
    const struct buf strips = { .data = name, .len = 6 };
    struct shelf s = { .shared = "" };
    struct buf b;

    buf_init(&s.encode);
    buf_init(&b);
    map_init(&s.place);
    read_golden(&s.encode, "tests/golden/encode.json");
    ranges(&b, take(&s, &strips), "[R]  [N]x [N]", runs, 2);
    CHECK_STR(b.data, "0-5 5-6 6-7 7-8 8-9 9-10 10-13");
    ranges(&b, take(&s, &strips), "[R]  [N]x [N]", NULL, 0);
    CHECK_STR(b.data, "0-5 5-8 8-9 9-10 10-13");
    tokenizer_release(&s.t[0]);
    map_release(&s.place);
    buf_release(&s.encode);
    buf_release(&b);
}

/* Ids of another text are seen to be. */
TEST(ids_of_another_text_are_refused)
{
    static const char *const special[] = { "<s>", NULL };
    static const uint32_t id[] = { 'a', 'b', 256 };
    struct tokenizer t;
    struct offsets o;

    byte_tokenizer(&t, special);
    offsets_init(&o, &t);
    CHECK(offsets_find(&o, "ab<s>", 5, NULL, 0, id, 3));
    CHECK(!offsets_find(&o, "ab<s>", 5, NULL, 0, id, 2));
    CHECK(!offsets_find(&o, "ab", 2, NULL, 0, id, 3));
    CHECK(!offsets_find(&o, "ac<s>", 5, NULL, 0, id, 3));
    CHECK(!offsets_find(&o, "a<s>", 4, NULL, 0, id, 3));
    CHECK(!offsets_find(&o, "", 0, NULL, 0, id, 3));
    CHECK(offsets_find(&o, "", 0, NULL, 0, NULL, 0));
    offsets_release(&o);
    tokenizer_release(&t);
}

/* Normalised in pieces or as a whole: the same bytes; and each change says
 * what it says. */
TEST(changes_lead_back_to_what_was_given)
{
    static const char *const part[] = {
        "e", "\xcc\x81", "\xef\xbe\x9e", "\xef\xbd\xb6", "\xcd\x85",
        "\xe2\x84\xab",
        "\xe1\x84\x92", "\xe1\x85\xa1", "\xe1\x86\xab", "\xed\x95\x98",
        " ", "\xff", "\xe0\xaf\x86", "\xe0\xae\xbe", "\xe1\xba\x9b", "x"
    };
    uint8_t *uclass = uclass_new();
    struct text_changes c;
    struct buf in, whole, mapped;
    uint32_t seed = 1;

    text_changes_init(&c);
    buf_init(&in);
    buf_init(&whole);
    buf_init(&mapped);
    for (int i = 0; i < 20000; i++) {
        size_t at = 0, from = 0;

        buf_reset(&in);
        buf_reset(&whole);
        buf_reset(&mapped);
        text_changes_reset(&c);
        for (int k = 0; k < 8; k++) {
            seed = seed * 1664525 + 1013904223;
            buf_addstr(&in, part[seed >> 28]);
        }
        form_add(&whole, (enum form)(i % 4), uclass, in.data, in.len, NULL);
        form_add(&mapped, (enum form)(i % 4), uclass, in.data, in.len, &c);
        if (!CHECK_STR(mapped.data, whole.data))
            break;
        for (size_t k = 0; k < c.n; k++) {
            CHECK(c.change[k].at - at == c.change[k].from - from);
            CHECK(memcmp(whole.data + at, in.data + from,
                         c.change[k].at - at) == 0);
            at = c.change[k].at + c.change[k].n;
            from = c.change[k].from + c.change[k].len;
        }
        CHECK_STR(whole.data + at, in.data + from);
    }
    free(uclass);
    text_changes_release(&c);
    buf_release(&in);
    buf_release(&whole);
    buf_release(&mapped);
}

/* "e" and a mark, composed, between plain letters. */
TEST(ranges_go_both_ways)
{
    struct text_changes c;
    struct text_run r;

    text_changes_init(&c);
    text_changes_add(&c, &(struct text_change){ 2, 2, 2, 3 });
    text_changes_add(&c, &(struct text_change){ 6, 2, 7, 3 });
    r = text_changes_given(&c, (struct text_run){ 1, 3 });
    CHECK(r.start == 1 && r.end == 5);
    r = text_changes_given(&c, (struct text_run){ 4, 6 });
    CHECK(r.start == 5 && r.end == 7);
    r = text_changes_given(&c, (struct text_run){ 7, 9 });
    CHECK(r.start == 7 && r.end == 11);
    r = text_changes_normal(&c, (struct text_run){ 0, 11 });
    CHECK(r.start == 0 && r.end == 9);
    r = text_changes_normal(&c, (struct text_run){ 2, 5 });
    CHECK(r.start == 2 && r.end == 4);
    r = text_changes_normal(&c, (struct text_run){ 3, 9 });
    CHECK(r.start == 4 && r.end == 6);
    r = text_changes_normal(&c, (struct text_run){ 5, 6 });
    CHECK(r.start == 4 && r.end == 5);
    r = text_changes_normal(&c, (struct text_run){ 3, 4 });
    CHECK(r.start == r.end);
    text_changes_release(&c);
}

static const struct test tests[] = {
    RUN(ranges_are_those_of_tokenizers),
    RUN(text_behind_a_token_is_not_where_a_text_begins),
    RUN(every_text_of_every_tokenizer_has_ranges),
    RUN(a_byte_without_a_token_is_in_no_range),
    RUN(pieces_of_more_or_less_than_the_text_are_followed),
    RUN(marks_are_found_where_they_are_asked_for),
    RUN(marks_of_the_normalised_text_too),
    RUN(ids_of_another_text_are_refused),
    RUN(changes_lead_back_to_what_was_given),
    RUN(ranges_go_both_ways),
};

TEST_MAIN("offsets", tests)
