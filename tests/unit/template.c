/* template.c - layout files: what is built in, what is refused and how, and
 * what a record becomes. */
#include "text/template.h"

#include <stdlib.h>

#include "cli/layout_options.h"
#include "text/template_builtin.h"
#include "text/template_read.h"

#include "byte_tokenizer.h"

static const char *const special[] = { "<e>", "<a>", "<b c>", NULL };

struct world {
    struct tokenizer t;
    struct encoder en;
    struct template tp;
    struct template_input in;
    struct template_out out;
};

static void
world_open(struct world *w, const char *text)
{
    struct err e;

    memset(w, 0, sizeof(*w));
    byte_tokenizer(&w->t, special);
    encoder_init(&w->en, &w->t);
    template_out_init(&w->out, &w->t);
    if (!CHECK(template_open_own(&w->tp, text, strlen(text), "t", &w->t, 256,
                                 &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
}

static void
world_close(struct world *w)
{
    template_release(&w->tp);
    template_out_release(&w->out);
    encoder_release(&w->en);
    tokenizer_release(&w->t);
}

/* What w->in becomes, what is learned in brackets. */
static void
expect(struct world *w, const char *want)
{
    struct buf b;
    bool inside = false;

    buf_init(&b);
    template_encode(&w->tp, &w->en, &w->in, &w->out);
    for (size_t i = 0; i < w->out.ids.n; i++) {
        if (w->out.loss[i] != inside)
            buf_addc(&b, inside ? ']' : '[');
        inside = w->out.loss[i];
        tokenizer_decode(&w->t, &w->out.ids.id[i], 1, &b);
    }
    buf_addstr(&b, inside ? "]" : "");
    CHECK_STR(b.data, want);
    buf_release(&b);
}

static void
set(struct world *w, enum template_field field, const char *text)
{
    template_set(&w->in, field, text, strlen(text));
}

TEST(parts_depend_on_fields)
{
    struct world w;

    world_open(&w, "family x\n token a <a>\n"
               "  if repo unless path  @a repo \"\\n\"\n"
               "  learn if path if repo \"\\\"\\\\\\t\" path\r\n"
               "#comment\n\n learn \"!\" text\nend");
    expect(&w, "[!<e>]");
    set(&w, FIELD_REPO, "R");
    expect(&w, "<a>R\n[!<e>]");
    set(&w, FIELD_PATH, "");
    set(&w, FIELD_TEXT, "T");
    expect(&w, "[\"\\\t!T<e>]");
    w.in.field[FIELD_REPO].piece = NULL;
    expect(&w, "[!T<e>]");
    world_close(&w);
}

TEST(pieces_say_what_is_learned_and_gaps_are_marked)
{
    static const struct template_piece piece[] = {
        { "old\n", 4, false, false }, { "new<a>\n", 7, true, false },
        { NULL, 0, false, false }, { "<a>", 3, true, true },
        { NULL, 0, true, false }
    };
    struct world w;

    world_open(&w, "family x\n token a <a>\n token b \"<b c>\"\n"
               "gap @b \"...\\n\"\n\"A:\" \n learn after\n \"<a>\"");
    w.in.field[FIELD_AFTER] = (struct template_value){ piece, 5 };
    expect(&w, "A:old\n[new<a>\n]<b c>...\n[<a><b c>...\n]<a>");
    CHECK_EQ_U64(w.out.ids.n, 2 + 4 + 7 + 1 + 4 + 1 + 1 + 4 + 3);
    world_close(&w);
}

TEST(variants_share_a_body_with_families)
{
    static const char text[] =
        "records file chat\nfamily x\ntoken p <zz>\nfamily y\ntoken p <a>\n"
        "variant psm\n @p prefix \"|\" suffix\n learn middle\nend\n"
        "variant spm\n @p suffix \"|\" prefix\n learn middle\nend\n"
        "family z\n token q <a>\n learn text";
    enum template_kind kind;
    struct world w;
    struct err e;

    world_open(&w, text);
    CHECK_STR(w.tp.family->name, "y");
    CHECK_EQ_U64(template_variant(&w.tp, "spm"), 1);
    CHECK_EQ_U64(template_variant(&w.tp, "none"), 2);
    CHECK(template_is_for(&w.tp, LAYOUT_FILE));
    CHECK(template_is_for(&w.tp, LAYOUT_CHAT));
    CHECK(!template_is_for(&w.tp, LAYOUT_COMMIT));
    CHECK_EQ_U64(layout_uses(&w.tp.layout, w.tp.family),
                 1u << FIELD_PREFIX | 1u << FIELD_SUFFIX | 1u << FIELD_MIDDLE);
    CHECK_EQ_U64(layout_learns(&w.tp.layout, w.tp.family),
                 1u << FIELD_MIDDLE);
    CHECK(template_like(&w.tp, "t", &kind, &e) == 0);
    CHECK_EQ_U64(kind, TEMPLATE_FIM);
    set(&w, FIELD_PREFIX, "P");
    set(&w, FIELD_MIDDLE, "M");
    set(&w, FIELD_SUFFIX, "S");
    expect(&w, "<a>P|S[M<e>]");
    w.in.variant = 1;
    expect(&w, "<a>S|P[M<e>]");
    world_close(&w);
}

/* What is refused, with the message behind "t". */
static const struct {
    const char *text, *message;
} refused[] = {
    { "", ": no family" },
    { "learn text", ":1: a part above the first family" },
    { "family", ":1: family without a name" },
    { "family a b", ":1: more than was expected (found b)" },
    { "family a/b", ":1: the name of a family (found a/b, expected letters, "
                    "digits, '.', '_' and '-')" },
    { "family aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      ":1: the name of a family has 33 bytes (expected at most 32)" },
    { "family a\n", ":1: family a has no parts" },
    { "family a\ntoken x <x>\nfamily a", ":3: a second family a" },
    { "family a\nlearn text\nfamily b",
      ":3: family a above has no tokens, so no tokenizer gets to one below" },
    { "family a\ntoken x", ":2: token x without its spelling" },
    { "family a\ntoken x \"\"", ":2: token x without its spelling" },
    { "family a\ntoken x y z", ":2: more than was expected (found z)" },
    { "family a\ntoken x y\ntoken x z", ":3: a second token x of family a" },
    { "token x y", ":1: a token belongs right below a family" },
    { "family a\nlearn text\ntoken x y",
      ":3: a token belongs right below a family" },
    { "gap \"x\"", ":1: a gap belongs right below a family" },
    { "family a\ngap", ":2: a gap of nothing" },
    { "family a\ngap text", ":2: a gap has tokens and text alone" },
    { "family a\ngap \"x\"\ngap \"y\"", ":3: a second gap of family a" },
    { "family a\nlearn test", ":2: unknown word (found test, did you mean "
                              "text?)" },
    { "family a\nlearn if tezt \"x\"",
      ":2: unknown field (found tezt, did you mean text?)" },
    { "family a\nlearn if", ":2: a condition without its field" },
    { "family a\nlearn if text", ":2: a part of nothing" },
    { "family a\nlearn \"x", ":2: quotes that do not end" },
    { "family a\nlearn \"x\"y", ":2: no blank behind quotes" },
    { "family a\nlearn \"\\x\"",
      ":2: a backslash in quotes (expected \\n, \\t, \\\" or \\\\)" },
    { "family a\nlearn \"\\",
      ":2: a backslash in quotes (expected \\n, \\t, \\\" or \\\\)" },
    { "family a\ntoken repo y\nlearn @rpo text",
      ":3: unknown token (found @rpo, did you mean repo?)" },
    { "family a\nlearn @", ":2: unknown token (found @)" },
    { "family a\ntoken x <x>\nfamily b\nlearn @x text",
      ":4: family b has no token x" },
    { "family a\ntoken x <x>\nfamily b\ngap @x",
      ":4: family b has no token x" },
    { "family a\nlearn text end text", ":2: an item behind the end" },
    { "family a\nlearn text end\n\n\"x\"", ":4: an item behind the end" },
    { "family a\ntext\nend",
      ":3: nothing is learned of family a above (expected learn)" },
    { "family a\nvariant x\nlearn text\nvariant y\ntext",
      ":5: nothing is learned of variant y above (expected learn)" },
    { "family a\nlearn text\nvariant x", ":3: parts stand above the first "
                                         "variant" },
    { "family a\nvariant x\nlearn text\nvariant x", ":4: a second variant x" },
    { "records", ":1: records of no kind" },
    { "records fie", ":1: unknown kind of records (found fie, did you mean "
                     "file?)" },
    { "loss all\nloss all", ":2: loss stands once, above the families" },
    { "family a\nloss all", ":2: loss stands once, above the families" },
    { "loss", ":1: loss of what (found nothing, expected target or all)" },
    { "loss auto", ":1: loss of what (found auto, expected target or all)" },
    { "loss all all\nfamily a", ":1: more than was expected (found all)" },
    { "records doc\nrecords doc", ":2: records stands once, above the "
                                  "families" },
    { "family a\nlearn text\n\xff", ": no text (expected UTF-8 without NUL)" },
    { "family a\ntoken x <none>\nlearn text",
      ": the tokenizer is of none of its families (a has <none>)" },
};

TEST(what_is_wrong_is_named_with_its_line)
{
    struct tokenizer t;
    struct template tp;
    struct err e;

    byte_tokenizer(&t, special);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *text = refused[i].text;
        int rc = template_open_own(&tp, text, strlen(text), "t", &t, 256, &e);

        if (!CHECK(rc == ERR_DATA || rc == ERR_LIMIT)) {
            printf("  %s\n", text);
            continue;
        }
        CHECK(e.text[0] == 't');
        CHECK_STR(e.text + 1, refused[i].message);
        CHECK(tp.family == NULL);
    }
    tokenizer_release(&t);
}

/* A layout is for records that have its fields. */
TEST(fields_say_which_records_a_layout_is_for)
{
    static const struct {
        const char *text;
        enum template_kind kind; /* TEMPLATE_KINDS: refused */
        uint32_t records;        /* commit 1, file 2, doc 4, chat 8 */
    } cases[] = {
        { "family x\nlearn after", TEMPLATE_COMMIT, 1 },
        { "family x\nbefore\nlearn message", TEMPLATE_COMMIT, 1 },
        { "family x\nlearn diff", TEMPLATE_REVIEW, 1 },
        { "family x\ndiff\nlearn message", TEMPLATE_MESSAGE, 1 },
        { "family x\nlearn text", TEMPLATE_PLAIN, 15 },
        { "records chat\nfamily x\nlearn text", TEMPLATE_CHAT, 8 },
        { "records file\nfamily x\nlearn text", TEMPLATE_FILE, 2 },
        { "records doc file\nfamily x\nlearn middle", TEMPLATE_FIM, 6 },
        { "records commit chat\nfamily x\nlearn suffix", TEMPLATE_FIM, 1 },
        { "family x\nlearn prefix", TEMPLATE_FIM, 7 },
        { "family x\nlearn message", TEMPLATE_PLAIN, 15 },
        { "records file\nfamily x\nlearn diff", TEMPLATE_KINDS, 0 },
        { "records chat\nfamily x\nlearn middle", TEMPLATE_KINDS, 0 },
        { "family x\nlearn text diff", TEMPLATE_KINDS, 0 },
        { "family x\nlearn before middle", TEMPLATE_KINDS, 0 },
    };
    enum template_kind kind;
    struct world w;
    struct err e;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world_open(&w, cases[i].text);
        if (cases[i].kind == TEMPLATE_KINDS) {
            CHECK(template_like(&w.tp, "t", &kind, &e) == ERR_DATA);
        } else if (CHECK(template_like(&w.tp, "t", &kind, &e) == 0)) {
            CHECK_EQ_U64(kind, cases[i].kind);
            CHECK_EQ_U64(w.tp.layout.records >> 1 & 15, cases[i].records);
        }
        world_close(&w);
    }
}

/* A line, so often. */
static int
read_many(const char *head, const char *line, int n)
{
    struct layout l;
    struct buf b;
    struct err e;
    int rc;

    buf_init(&b);
    buf_addstr(&b, head);
    for (int i = 0; i < n; i++)
        buf_addf(&b, line, i, i);
    buf_addstr(&b, "learn text");
    rc = template_read(&l, b.data, b.len, "t", &e);
    if (rc == 0)
        layout_release(&l);
    buf_release(&b);
    return rc;
}

TEST(limits_hold)
{
    CHECK(read_many("", "family f%d\ntoken t <%d>\n", 64) == 0);
    CHECK(read_many("", "family f%d\ntoken t <%d>\n", 65) == ERR_LIMIT);
    CHECK(read_many("family f\n", "token t%d <%d>\n", 32) == 0);
    CHECK(read_many("family f\n", "token t%d <%d>\n", 33) == ERR_LIMIT);
    CHECK(read_many("family f\n", "learn \"%d\"\n", 4095) == 0);
    CHECK(read_many("family f\n", "learn \"%d\"\n", 4096) == ERR_LIMIT);
    CHECK(read_many("family f\n", "variant v%d\nlearn text\n", 8) == 0);
    CHECK(read_many("family f\n", "variant v%d\nlearn text\n", 9)
          == ERR_LIMIT);
    CHECK(read_many("family f\n", "#2345678901234567890%d\n", 3000)
          == ERR_LIMIT);
}

/* Any byte changed, left out or doubled: a layout or a message. */
TEST(damaged_layouts_do_no_harm)
{
    const char *text = template_builtin("commit");
    size_t n = strlen(text);
    char *copy = malloc(n);
    uint32_t seed = 3;
    struct layout l;
    struct err e;

    for (int i = 0; i < 4000; i++) {
        size_t at, from;

        memcpy(copy, text, n);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525 + 1013904223;
            at = (seed >> 8) % n;
            seed = seed * 1664525 + 1013904223;
            from = (seed >> 8) % n;
            if (seed >> 31)
                copy[at] = text[from];
            else
                memmove(copy + at, copy + from, n - (at > from ? at : from));
        }
        at = i % 2 ? n : seed % n;
        if (template_read(&l, copy, at, "t", &e) == 0)
            layout_release(&l);
        else
            CHECK(e.code == ERR_DATA || e.code == ERR_LIMIT);
    }
    free(copy);
}

/* What is built in opens; what a layout is like is what it is called. */
TEST(what_is_built_in_is_whole)
{
    static const char *const fim[] = {
        "<e>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", NULL
    };
    enum template_kind like;
    struct template tp;
    struct tokenizer t;
    struct buf names;
    struct err e;
    size_t n = 0;

    byte_tokenizer(&t, fim);
    for (int k = 0; k < TEMPLATE_KINDS; k++) {
        if (!CHECK(template_open(&tp, (enum template_kind)k, &t, 256,
                                 &e) == 0)) {
            printf("  %s\n", e.text);
            continue;
        }
        CHECK(template_like(&tp, "t", &like, &e) == 0);
        CHECK_EQ_U64(like, k);
        template_release(&tp);
    }
    buf_init(&names);
    for (; builtin_template[n].name; n++)
        buf_addf(&names, "%s%s", n ? "|" : "", builtin_template[n].name);
    CHECK_EQ_U64(n, TEMPLATE_KINDS);
    CHECK_STR(names.data, LAYOUT_NAMES);
    buf_release(&names);
    CHECK(template_builtin("none") == NULL);
    tokenizer_release(&t);
}

static const struct test tests[] = {
    RUN(parts_depend_on_fields),
    RUN(pieces_say_what_is_learned_and_gaps_are_marked),
    RUN(variants_share_a_body_with_families),
    RUN(what_is_wrong_is_named_with_its_line),
    RUN(fields_say_which_records_a_layout_is_for),
    RUN(limits_hold),
    RUN(damaged_layouts_do_no_harm),
    RUN(what_is_built_in_is_whole),
};

TEST_MAIN("template", tests)
