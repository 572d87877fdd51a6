/* render_chat.c - conversations over the limit: their parts are conversations
 * with the same system messages, and every answer is learned once. Tokens are
 * bytes here. */
#include "render_world.h"

#include "base/rng.h"

static const char *const special[] = { "<|endoftext|>", NULL };

#define TURNS "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}" \
              "{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"

struct talk {
    struct world in;
    struct chat_template of;
    struct text_rec rec;
};

static void
talk_open(struct talk *t, const char *template)
{
    struct err e;

    world_open(&t->in, special);
    chat_template_init(&t->of);
    t->of.found = true;
    if (!CHECK(jinja_read(&t->of.usual, template, strlen(template), "t", &e)
               == 0))
        printf("  %s\n", e.text);
    t->in.r.chat = &t->of;
    CHECK(render_use(&t->in.r, RENDER_AUTO, &e) == 0);
    text_init(&t->rec);
    text_begin(&t->rec, TEXT_CHAT);
}

static void
talk_close(struct talk *t)
{
    world_close(&t->in);
    chat_template_release(&t->of);
}

/* Messages of one letter's role each, "s:be brief,u:hi,a:hello". */
static void
say(struct talk *t, char *lines)
{
    static const char *const role[] = { "system", "user", "assistant",
                                        "tool" };
    char *save, *line = strtok_r(lines, ",", &save);

    for (; line; line = strtok_r(NULL, ",", &save)) {
        for (int i = 0; i < 4; i++)
            if (role[i][0] == line[0])
                text_add_str(&t->rec, "role", role[i]);
        text_add_str(&t->rec, "content", line + 2);
    }
}

/* The parts with what is learned of each behind a #, between blanks, and how
 * many exchanges were left out. */
static void
check_parts(const char *template, const char *lines, uint64_t max_tokens,
            const char *want, uint64_t left)
{
    char *copy = mem_strdup(lines);
    struct talk t;
    struct buf all;

    buf_init(&all);
    talk_open(&t, template);
    say(&t, copy);
    world_set(&t.in, &t.rec);
    t.in.r.max_tokens = max_tokens;
    world_render(&t.in);
    for (size_t i = 0; i < t.in.out.n; i++) {
        world_take(&t.in, i);
        buf_addf(&all, "%s%s#%s", i > 0 ? " " : "", t.in.back.data,
                 t.in.learnt.data);
    }
    CHECK_STR(all.data, want);
    CHECK_EQ_U64(t.in.out.left[RENDER_LONG].records, left);
    CHECK_EQ_U64(t.in.out.kept.records, t.in.out.n);
    talk_close(&t);
    free(copy);
    buf_release(&all);
}

TEST(a_part_has_the_system_message_and_whole_exchanges)
{
    const char *five = "s:S,u:1,a:2,u:3,a:4,u:5,a:6,u:7,a:8,u:9,a:0";

    check_parts(TURNS, five, 0, "<s>S<u>1<a>2<u>3<a>4<u>5<a>6<u>7<a>8<u>9<a>0"
                "#24680", 0);
    check_parts(TURNS, five, 43, "<s>S<u>1<a>2<u>3<a>4<u>5<a>6<u>7<a>8#2468 "
                "<s>S<u>9<a>0#0", 0);
    check_parts(TURNS, five, 20, "<s>S<u>1<a>2<u>3<a>4#24 "
                "<s>S<u>5<a>6<u>7<a>8#68 <s>S<u>9<a>0#0", 0);
    check_parts(TURNS, five, 12, "<s>S<u>1<a>2#2 <s>S<u>3<a>4#4 "
                "<s>S<u>5<a>6#6 <s>S<u>7<a>8#8 <s>S<u>9<a>0#0", 0);
    check_parts(TURNS, five, 11, "", 5);
}

TEST(an_exchange_ends_with_its_last_answer)
{
    check_parts(TURNS, "u:1,a:2,t:3,a:4,u:5,u:6,a:7", 16,
                "<u>1<a>2<t>3<a>4#24 <u>5<u>6<a>7#7", 0);
    check_parts(TURNS, "a:1,u:2,a:3,s:T,u:4,a:5", 12,
                "<a>1<u>2<a>3#13 <s>T<u>4<a>5#5", 0);
    check_parts(TURNS, "s:S,s:T,u:1,a:2,s:U,a:3,u:4,a:5", 24,
                "<s>S<s>T<u>1<a>2<s>U<a>3#23 <s>S<s>T<u>4<a>5#5", 0);
}

TEST(an_exchange_that_is_too_long_is_counted)
{
    check_parts(TURNS, "u:1,a:2,u:333333333333,a:4,u:5,a:6,u:7,a:8", 16,
                "<u>1<a>2#2 <u>5<a>6<u>7<a>8#68", 1);
    check_parts(TURNS, "u:1,a:2,u:333333333333333", 16, "<u>1<a>2#2", 1);
    check_parts(TURNS, "u:1,a:2,u:3", 8, "<u>1<a>2#2", 1);
}

TEST(a_part_that_the_template_refuses_is_counted)
{
    check_parts("{% if messages[0].content != '1' %}"
                "{{ raise_exception('no') }}{% endif %}" TURNS,
                "u:1,a:2,u:3,a:4,u:5,a:6", 16, "<u>1<a>2<u>3<a>4#24", 1);
}

/* ---- random conversations ---- */

/* A conversation after a system message; the answers, which are what is
 * learned. */
static void
random_talk(struct rng *rng, struct buf *lines, struct buf *answers)
{
    uint64_t n = 1 + rng_below(rng, 40);
    size_t at;

    buf_addstr(lines, "s:S");
    for (uint64_t i = 0; i < n; i++) {
        buf_addstr(lines, rng_below(rng, 5) == 0 ? ",u:x,u:" : ",u:");
        for (uint64_t k = rng_below(rng, 20); k-- > 0;)
            buf_addc(lines, 'x');
        if (rng_below(rng, 4) == 0)
            buf_addstr(lines, ",a:,t:y");
        buf_addstr(lines, ",a:");
        at = lines->len;
        for (uint64_t k = 1 + rng_below(rng, 20); k-- > 0;)
            buf_addc(lines, (char)('A' + rng_below(rng, 26)));
        buf_add(answers, lines->data + at, lines->len - at);
    }
}

TEST(every_answer_is_learned_once)
{
    struct rng rng;
    struct buf lines, answers, learnt;
    struct talk t;

    rng_init(&rng, 4, 0);
    buf_init(&lines);
    buf_init(&answers);
    buf_init(&learnt);
    for (int i = 0; i < 300; i++) {
        buf_reset(&lines);
        buf_reset(&answers);
        buf_reset(&learnt);
        random_talk(&rng, &lines, &answers);
        talk_open(&t, TURNS);
        say(&t, lines.data);
        world_set(&t.in, &t.rec);
        t.in.r.max_tokens = 80 + rng_below(&rng, 400);
        world_render(&t.in);
        for (size_t k = 0; k < t.in.out.n; k++) {
            world_take(&t.in, k);
            CHECK(strncmp(t.in.back.data, "<s>S<u>", 7) == 0);
            CHECK(!strstr(t.in.back.data + 1, "<s>"));
            buf_add(&learnt, t.in.learnt.data, t.in.learnt.len);
        }
        CHECK_STR(learnt.data, answers.data);
        CHECK_EQ_U64(t.in.out.left[RENDER_LONG].records, 0);
        talk_close(&t);
    }
    buf_release(&lines);
    buf_release(&answers);
    buf_release(&learnt);
}

/* ---- as without the limit ---- */

/* Exchanges [from, to) behind a system message; the answer is the
 * question without its first byte. */
static void
put_exchanges(struct talk *t, const char *head, char *const *asked,
              size_t from, size_t to)
{
    text_begin(&t->rec, TEXT_CHAT);
    text_add_str(&t->rec, "role", "system");
    text_add_str(&t->rec, "content", head);
    for (; from < to; from++) {
        text_add_str(&t->rec, "role", "user");
        text_add_str(&t->rec, "content", asked[from]);
        text_add_str(&t->rec, "role", "assistant");
        text_add_str(&t->rec, "content", asked[from] + 1);
    }
    world_set(&t->in, &t->rec);
}

/* The ids and flags of token record i are appended to b. */
static void
take_ids(struct world *w, size_t i, struct buf *b)
{
    struct tokens t = world_take(w, i);
    uint32_t *id = mem_array(t.n, sizeof(id[0]));
    uint8_t *mask = mem_array(t.n, 1);

    tokens_ids(&t, id);
    tokens_mask(&t, mask);
    for (size_t k = 0; k < t.n; k++)
        buf_addf(b, "%u/%d ", id[k], mask[k]);
    buf_addc(b, '\n');
    free(id);
    free(mask);
}

/* The longest runs of exchanges within the limit, each rendered as a
 * conversation of its own that has no limit. */
static void
one_by_one(struct talk *t, const char *head, char *const *asked, size_t n,
           uint64_t most, struct buf *b)
{
    struct buf last;
    size_t i, to;

    buf_init(&last);
    for (i = 0; i < n; i = to > i + 1 ? to - 1 : to) {
        buf_reset(&last);
        for (to = i + 1; to <= n; to++) {
            put_exchanges(t, head, asked, i, to);
            world_render(&t->in);
            if (t->in.out.kept.tokens > most)
                break;
            buf_reset(&last);
            take_ids(&t->in, 0, &last);
        }
        buf_add(b, last.data, last.len);
    }
    buf_release(&last);
}

static char *
random_text(struct rng *rng, uint64_t most)
{
    static const char *const word[] = { "<|endoftext|>", "x", " ", "\n",
                                        "<u>", "ab c", "\xc3\xa9" };
    struct buf b;

    buf_init(&b);
    buf_addstr(&b, "y.");
    for (uint64_t n = rng_below(rng, most); n-- > 0;)
        buf_addstr(&b, word[rng_below(rng, 7)]);
    return b.data;
}

#define MARKED "{% for m in messages %}<|endoftext|>{{ m.role + ': ' " \
               "+ m.content }}<|endoftext|>\n{% endfor %}" \
               "{% if add_generation_prompt %}<|endoftext|>assistant: " \
               "{% endif %}"

TEST(parts_are_what_they_are_without_a_limit)
{
    struct rng rng;
    struct buf want, found;
    struct talk t;

    rng_init(&rng, 9, 0);
    buf_init(&want);
    buf_init(&found);
    talk_open(&t, MARKED);
    text_release(&t.rec);
    for (int i = 0; i < 200; i++) {
        size_t n = 1 + rng_below(&rng, 12), k;
        char *asked[12], *head = random_text(&rng, 60);
        uint64_t most = 60 + rng_below(&rng, 500);

        for (k = 0; k < n; k++)
            asked[k] = random_text(&rng, 30);
        buf_reset(&want);
        buf_reset(&found);
        t.in.r.max_tokens = 0;
        one_by_one(&t, head, asked, n, most, &want);
        t.in.r.max_tokens = most;
        put_exchanges(&t, head, asked, 0, n);
        world_render(&t.in);
        for (k = 0; k < t.in.out.n; k++)
            take_ids(&t.in, k, &found);
        CHECK_STR(found.data ? found.data : "", want.data ? want.data : "");
        for (k = 0; k < n; k++)
            free(asked[k]);
        free(head);
    }
    talk_close(&t);
    buf_release(&want);
    buf_release(&found);
}

static const struct test tests[] = {
    RUN(a_part_has_the_system_message_and_whole_exchanges),
    RUN(an_exchange_ends_with_its_last_answer),
    RUN(an_exchange_that_is_too_long_is_counted),
    RUN(a_part_that_the_template_refuses_is_counted),
    RUN(every_answer_is_learned_once),
    RUN(parts_are_what_they_are_without_a_limit)
};

TEST_MAIN("render_chat", tests)
