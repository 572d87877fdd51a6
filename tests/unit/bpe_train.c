/* bpe_train.c - trainings drawn at random: the merges are those of the plain
 * rule, the file is one that the tokenizer reads, texts come back; and a word
 * of a megabyte. */
#include "text/bpe_train.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "text/tokenizer.h"

#include "test.h"

#define MAX_TEXT 400

/* The rule as it is written: all pairs are counted anew for each merge. */
struct plain {
    char name[300][MAX_TEXT + 1]; /* of tokens; 0 to 255 are the bytes */
    uint32_t row[8][MAX_TEXT];
    size_t n_tokens, n_row[8], n_rows;
};

/* Of the highest count, of equal ones the smallest ids; 0: none is left. */
static int64_t
top_pair(const struct plain *s, uint32_t *left, uint32_t *right)
{
    static int64_t count[300][300];
    int64_t most = 0;
    size_t i, k;

    memset(count, 0, sizeof(count));
    for (i = 0; i < s->n_rows; i++)
        for (k = 0; k + 1 < s->n_row[i]; k++)
            count[s->row[i][k]][s->row[i][k + 1]]++;
    for (i = 0; i < s->n_tokens; i++)
        for (k = 0; k < s->n_tokens; k++)
            if (count[i][k] > most) {
                most = count[i][k];
                *left = (uint32_t)i;
                *right = (uint32_t)k;
            }
    return most;
}

static void
merge_rows(struct plain *s, uint32_t left, uint32_t right, uint32_t token)
{
    size_t i, k, n;

    for (i = 0; i < s->n_rows; i++) {
        for (n = k = 0; k < s->n_row[i]; k++) {
            bool here = k + 1 < s->n_row[i] && s->row[i][k] == left
                        && s->row[i][k + 1] == right;

            s->row[i][n++] = here ? token : s->row[i][k];
            k += here;
        }
        s->n_row[i] = n;
    }
}

static void
join(char *to, const char *a, const char *b)
{
    size_t n = strlen(a);

    memmove(to, a, n);
    memmove(to + n, b, strlen(b) + 1);
}

static void
follow_plain(struct plain *s, const struct tokenizer *t, size_t merges,
             int64_t min)
{
    uint32_t left = 0, right = 0;
    size_t i;

    for (i = 0; i < merges; i++) {
        char *name = s->name[s->n_tokens];
        const struct token_span *span;

        if (top_pair(s, &left, &right) < min)
            break;
        join(name, s->name[left], s->name[right]);
        span = &t->span[s->n_tokens];
        if (!CHECK(s->n_tokens < t->n && span->len == strlen(name)
                   && memcmp(t->bytes.data + span->at, name, span->len) ==
                      0))
            printf("  merge %zu: \"%.*s\", expected \"%s\"\n", i,
                   (int)span->len, t->bytes.data + span->at, name);
        merge_rows(s, left, right, (uint32_t)s->n_tokens++);
    }
    CHECK_EQ_U64(t->n, s->n_tokens);
}

/* Trains, and reads what came of it. */
static void
train(struct bpe_trainer *b, const struct bpe_train_options *o,
      struct tokenizer *t)
{
    struct bpe_trained made = { 0, BPE_SIZE };
    struct buf json;
    struct err e;

    buf_init(&json);
    CHECK(bpe_trainer_finish(b, o, &json, &made, &e) == 0);
    CHECK((made.n_tokens == o->size) == (made.end == BPE_SIZE));
    if (!CHECK(tokenizer_read(t, json.data, json.len, "t.json", &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    CHECK_EQ_U64(t->n, made.n_tokens);
    buf_release(&json);
}

static void
draw_word(struct rng *r, struct plain *s, char *word)
{
    size_t k, n = 1 + rng_below(r, MAX_TEXT - 1), letters = 1 + rng_below(r, 3);

    for (k = 0; k < n; k++) {
        word[k] = (char)('a' + rng_below(r, letters));
        /* Ids of bytes: those of '!' on come first. */
        s->row[s->n_rows][k] = (uint32_t)(word[k] - '!');
    }
    s->n_row[s->n_rows++] = n;
}

TEST(merges_are_those_of_the_plain_rule)
{
    struct plain *s = mem_alloc(sizeof(*s));
    struct bpe_train_options o;
    struct bpe_trainer b;
    struct tokenizer t;
    char word[MAX_TEXT];
    size_t i, k, merges;
    struct rng r;

    rng_init(&r, 11, 0);
    for (i = 0; i < 25; i++) {
        memset(s, 0, sizeof(*s));
        s->n_tokens = 256;
        for (k = 0; k < 94; k++)
            s->name[k][0] = (char)('!' + k);
        bpe_trainer_init(&b);
        for (k = 0; k < 1 + i % 8; k++) {
            draw_word(&r, s, word);
            bpe_trainer_add(&b, word, s->n_row[k]);
        }
        merges = rng_below(&r, 24);
        o = (struct bpe_train_options){
            .size = (uint32_t)(256 + merges), .min_frequency = i % 3
        };
        train(&b, &o, &t);
        follow_plain(s, &t, merges, i % 3 > 1 ? i % 3 : 1);
        bpe_trainer_release(&b);
        tokenizer_release(&t);
    }
    free(s);
}

static void
comes_back(const struct tokenizer *t, const char *p, size_t n)
{
    struct encoder en;
    struct ids ids;
    struct buf back;

    ids_init(&ids);
    buf_init(&back);
    encoder_init(&en, t);
    encoder_add(&en, p, n, false, &ids);
    tokenizer_decode(t, ids.id, ids.n, &back);
    CHECK(back.len == n && memcmp(back.data, p, n) == 0);
    encoder_release(&en);
    ids_release(&ids);
    buf_release(&back);
}

TEST(whatever_is_trained_is_read_and_texts_come_back)
{
    static const char *const odd[] = {
        "<a>", "ab", "aa", "\xc4\xa0t", "\xc4\xa0\xc4\xa0", "\xc3\x83\xc2\xa9",
        "\xc3\xa9\xc3\xa9", "\t\x01", "\"\\", "a\xcc\x81x", "  ", "\n\n",
        "\xe2\x80\xa8\xe2\x80\xa8", "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", "bc d",
    };
    static const char *const part[] = {
        "a", "b", "ab", " t", " ", "\n", "\xc3\xa9", "\xff", "\xc4\xa0t", "0",
        "", "aaaaaaaaaa", "<a>", "\"\\", "\xe2\x80\xa8", "x\t\x01y",
    };
    const char *special[15];
    struct bpe_train_options o;
    struct bpe_trainer b;
    struct tokenizer t;
    struct rng r;
    char text[600];
    size_t i, k, n, n_special;

    rng_init(&r, 5, 0);
    for (i = 0; i < 300; i++) {
        bpe_trainer_init(&b);
        n = 0;
        for (k = rng_below(&r, 60); k > 0; k--)
            n += (size_t)snprintf(text + n, 16, "%s",
                                  part[rng_below(&r, 16)]);
        bpe_trainer_add(&b, text, n);
        n_special = 0;
        for (k = rng_below(&r, 15); k < 15; k += 1 + rng_below(&r, 5))
            special[n_special++] = odd[k];
        o = (struct bpe_train_options){
            .size = (uint32_t)(256 + n_special + rng_below(&r, 200)),
            .min_frequency = rng_below(&r, 4), .special = special,
            .n_special = n_special
        };
        train(&b, &o, &t);
        comes_back(&t, text, n);
        bpe_trainer_release(&b);
        tokenizer_release(&t);
    }
}

/* Time that goes with the square of it would be hours. */
TEST(a_word_of_a_megabyte_is_learned_from)
{
    size_t n = 1000000, i;
    char *word = mem_alloc(n);
    struct bpe_train_options o = { .size = 4000 };
    struct bpe_trainer b;
    struct tokenizer t;
    struct rng r;

    rng_init(&r, 9, 0);
    for (i = 0; i < n; i++)
        word[i] = (char)('a' + rng_below(&r, 26));
    bpe_trainer_init(&b);
    bpe_trainer_add(&b, word, n);
    train(&b, &o, &t);
    CHECK_EQ_U64(t.n, 4000);
    comes_back(&t, word, n);
    bpe_trainer_release(&b);
    tokenizer_release(&t);
    free(word);
}

static const struct test tests[] = {
    RUN(merges_are_those_of_the_plain_rule),
    RUN(whatever_is_trained_is_read_and_texts_come_back),
    RUN(a_word_of_a_megabyte_is_learned_from),
};

TEST_MAIN("bpe_train", tests)
