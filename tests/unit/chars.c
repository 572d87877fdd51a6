/* chars.c - models over characters: what is given back, bytes that are not
 * UTF-8, and that a text may be cut where it is cut. */
#include "text/chars.h"

#include <stdlib.h>

#include "base/rng.h"
#include "text/tokenizer.h"

#include "test.h"

#define BLANK "\xe2\x96\x81"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"" BLANK "\"}"
#define REPLACE \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" \
    BLANK "\"}"

/* What is around the vocabulary of a file. */
struct file {
    const char *normalizer, *pre;
    bool bytes;        /* it has <0xXX> and byte_fallback */
    const char *words; /* merges of two characters, or words: "ab cd" */
};

static void
put_vocab(struct buf *b, const struct file *f)
{
    static const char *const single[] = { BLANK, "a", "b", "c", "d", "\xc3\xa9",
                                          "\xe4\xb8\xad" };
    size_t n = 0, i;

    buf_addf(b, "\"<u>\":%zu", n++);
    for (i = 0; f->bytes && i < 256; i++)
        buf_addf(b, ",\"<0x%02X>\":%zu", (unsigned)i, n++);
    for (i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        buf_addf(b, ",\"%s\":%zu", single[i], n++);
    buf_addstr(b, f->words ? f->words : "");
}

static void
open_file(struct tokenizer *t, const struct file *f, const char *merges)
{
    struct buf b;
    struct err e;

    buf_init(&b);
    buf_addf(&b, "{\"normalizer\":%s,\"pre_tokenizer\":%s,\"added_tokens\":["
             "{\"id\":0,\"content\":\"<u>\",\"special\":true}],\"model\":{"
             "\"byte_fallback\":%s,\"unk_token\":\"<u>\",\"vocab\":{",
             f->normalizer ? f->normalizer : "null",
             f->pre ? f->pre : "null", f->bytes ? "true" : "false");
    put_vocab(&b, f);
    buf_addf(&b, "},\"merges\":[%s]}}", merges);
    if (!CHECK(tokenizer_read(t, b.data, b.len, "t.json", &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    buf_release(&b);
}

/* The bytes that the ids of p[n] give back are want[m]. */
static void
gives_back(struct encoder *en, const void *p, size_t n, const void *want,
           size_t m)
{
    struct ids ids;
    struct buf back;
    size_t skip;

    ids_init(&ids);
    buf_init(&back);
    encoder_add(en, p, n, false, &ids);
    tokenizer_decode(en->t, ids.id, ids.n, &back);
    skip = tokenizer_prepended(en->t, ids.id, ids.n);
    if (!CHECK(back.len - skip == m
               && memcmp(back.data + skip, want, m) == 0))
        printf("  \"%.*s\" gives \"%s\"\n", (int)n, (const char *)p,
               back.data + skip);
    ids_release(&ids);
    buf_release(&back);
}

TEST(any_bytes_come_back)
{
    static const struct file files[] = {
        { .normalizer = "{\"type\":\"Sequence\",\"normalizers\":[" PREPEND ","
                        REPLACE "]}", .bytes = true },
        { .normalizer = REPLACE, .bytes = true },
        { .pre = "{\"type\":\"Metaspace\",\"replacement\":\"" BLANK "\","
                 "\"prepend_scheme\":\"never\"}", .bytes = true },
        { .bytes = true },
    };
    struct tokenizer t;
    struct encoder en;
    uint8_t all[512];
    size_t i, k;

    for (i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 167);
    for (k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
        open_file(&t, &files[k], "");
        encoder_init(&en, &t);
        for (i = 0; i < sizeof(all); i++)
            gives_back(&en, all + i, sizeof(all) - i, all + i,
                       sizeof(all) - i);
        gives_back(&en, "", 0, "", 0);
        gives_back(&en, " ", 1, " ", 1);
        gives_back(&en, "  a b", 5, "  a b", 5);
        CHECK_EQ_U64(en.n_lost, 0);
        encoder_release(&en);
        tokenizer_release(&t);
    }
}

TEST(what_two_texts_share_the_shorter_one_comes_back_of)
{
    static const struct file f = {
        .pre = "{\"type\":\"Metaspace\",\"replacement\":\"" BLANK "\"}",
        .bytes = true
    };
    struct tokenizer t;
    struct encoder en;

    open_file(&t, &f, "");
    encoder_init(&en, &t);
    gives_back(&en, "ab", 2, "ab", 2);
    gives_back(&en, " ab", 3, "ab", 2);
    gives_back(&en, "  ab", 4, " ab", 3);
    gives_back(&en, BLANK "a" BLANK, 7, "a ", 2);
    encoder_release(&en);
    tokenizer_release(&t);
}

TEST(a_character_without_token_is_unknown_or_its_bytes)
{
    static const struct file f = { .normalizer = REPLACE };
    struct tokenizer t;
    struct encoder en;
    struct ids ids;

    open_file(&t, &f, "");
    encoder_init(&en, &t);
    ids_init(&ids);
    encoder_add(&en, "ax\xff\xe4\xb8\xad", 6, false, &ids);
    CHECK_EQ_U64(ids.n, 4);
    CHECK(ids.id[0] == 2 && ids.id[1] == 0 && ids.id[2] == 0
          && ids.id[3] == 7);
    CHECK_EQ_U64(en.n_lost, 0);
    ids_release(&ids);
    encoder_release(&en);
    tokenizer_release(&t);
}

/* ---- cuts ---- */

/* A file whose merges are drawn: words of "abcd" and the blank. */
static void
random_file(struct rng *r, struct tokenizer *t, bool bytes)
{
    char word[64][64] = { BLANK, "a", "b", "c", "d", "\xc3\xa9" };
    struct buf words, merges;
    size_t n = 6, tries, a, b, k, first = bytes ? 264 : 8;
    struct file f = { .normalizer = REPLACE, .bytes = bytes };

    buf_init(&words);
    buf_init(&merges);
    for (tries = 0; tries < 60 && n < 40; tries++) {
        a = rng_below(r, n);
        b = rng_below(r, n);
        if (strlen(word[a]) + strlen(word[b]) > 20)
            continue;
        k = strlen(word[a]);
        memcpy(word[n], word[a], k);
        memcpy(word[n] + k, word[b], strlen(word[b]) + 1);
        for (k = 0; k < n && strcmp(word[k], word[n]) != 0; k++)
            ;
        buf_addf(&merges, "%s[\"%s\",\"%s\"]", merges.len > 0 ? "," : "",
                 word[a], word[b]);
        if (k == n)
            buf_addf(&words, ",\"%s\":%zu", word[n], first + n - 6);
        n += k == n;
    }
    f.words = words.data;
    open_file(t, &f, merges.data);
    buf_release(&words);
    buf_release(&merges);
}

TEST(a_text_that_is_cut_has_the_ids_of_the_whole)
{
    static const char *const part[] = { " ", "a", "b", "c", "d", "\xc3\xa9",
                                        "x", "\xff", "\n", BLANK };
    struct rng r;
    struct tokenizer t;
    struct encoder cut, whole;
    struct ids a, b;
    char text[400];
    size_t i, k, n, n_cut = 0;

    rng_init(&r, 7, 0);
    ids_init(&a);
    ids_init(&b);
    for (i = 0; i < 1000; i++) {
        random_file(&r, &t, i % 2);
        n = 0;
        while (n < 120)
            for (k = rng_below(&r, 10); k < 10; k += 1 + rng_below(&r, 10))
                n += (size_t)snprintf(text + n, 8, "%s", part[k]);
        n_cut += chars_piece(&t, (uint8_t *)text, (uint8_t *)text + n) < n;
        encoder_init(&cut, &t);
        a.n = b.n = 0;
        encoder_add(&cut, text, n, false, &a);
        encoder_release(&cut);
        t.chars.uncut = true;
        encoder_init(&whole, &t);
        encoder_add(&whole, text, n, false, &b);
        encoder_release(&whole);
        if (!CHECK(a.n == b.n
                   && memcmp(a.id, b.id, a.n * sizeof(a.id[0])) == 0))
            printf("  file %zu: \"%s\"\n", i, text);
        tokenizer_release(&t);
    }
    CHECK(n_cut > 500);
    ids_release(&a);
    ids_release(&b);
}

static const struct test tests[] = {
    RUN(any_bytes_come_back),
    RUN(what_two_texts_share_the_shorter_one_comes_back_of),
    RUN(a_character_without_token_is_unknown_or_its_bytes),
    RUN(a_text_that_is_cut_has_the_ids_of_the_whole),
};

TEST_MAIN("chars", tests)
