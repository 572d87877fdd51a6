/* dataset.c - sets of tokens as sources: what is opened and what is refused,
 * records by their number in a split, and which of them are of one commit;
 * the same with a file of lengths as without. */
#include "data/dataset.h"

#include "base/io.h"
#include "said.h"
#include "test.h"
#include "tiny_set.h"

#define DIR "dataset-test.tmp"

/* Ordinals begin anew with the second repository; records without a time are
 * documents. Those of "train" and of "val" are in turn. */
static const struct tiny_record records[] = {
    { 3, 50, "aBcd" }, { 3, 50, "eF" }, { 9, 60, "a" }, { 4, 50, "" },
    { 3, 51, "ABCDE" }, { 3, 50, "zyxwv" }, { 7, 0, "ab" }, { 7, 0, "Abc" },
    { 8, 0, "abcdefgh" }, { 7, 0, "aZ" }, { 9, 60, "Az" }, { 9, 61, "bb" },
};
static const struct tiny_range ranges[] = {
    { "train", 0, 2 }, { "val", 2, 3 }, { "train", 3, 10 }, { "val", 10, 12 },
};
static const uint64_t in_train[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9 };
static const uint64_t in_val[] = { 2, 10, 11 };

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct tiny_set
whole_set(void)
{
    return (struct tiny_set){ .record = records, .range = ranges,
                              .n_records = LENGTH(records),
                              .n_ranges = LENGTH(ranges), .vocab = "61" };
}

/* The set as it is made, opened; removed by close_set. */
static void
open_set(struct dataset *d, const struct tiny_set *s)
{
    struct err e;

    tiny_set_make(DIR, s);
    if (!CHECK(dataset_open(d, DIR, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
}

static void
close_set(struct dataset *d)
{
    struct err e;

    dataset_release(d);
    CHECK(path_remove(DIR, &e) == 0);
}

/* What is said of a set holds without a file of lengths and with one. */
static void
check_set(struct tiny_set s, void (*check)(struct dataset *d))
{
    struct dataset d;

    for (int lengths = 0; lengths < 2; lengths++) {
        s.lengths = lengths;
        open_set(&d, &s);
        CHECK_EQ_U64(d.lengths.n, lengths ? s.n_records : 0);
        check(&d);
        close_set(&d);
    }
}

TEST(the_head_says_vocabulary_tokenizer_and_loss)
{
    struct tiny_set s = whole_set();
    struct dataset d;
    struct err e;

    s.tokenizer = "0123abcd";
    open_set(&d, &s);
    CHECK_EQ_U64(d.vocab, 61);
    CHECK_STR(d.tokenizer, "0123abcd");
    dataset_release(&d);
    s.tokenizer = s.vocab = NULL;
    open_set(&d, &s);
    CHECK_EQ_U64(d.vocab, 0);
    CHECK(d.tokenizer == NULL);
    CHECK(d.loss == LOSS_TARGET);
    dataset_release(&d);
    s.loss = "target";
    open_set(&d, &s);
    CHECK(d.loss == LOSS_TARGET);
    dataset_release(&d);
    s.loss = "all";
    open_set(&d, &s);
    CHECK(d.loss == LOSS_ALL);
    close_set(&d);
    CHECK(dataset_open(&d, DIR, &e) == ERR_IO);
}

static void
check_no_dataset(int code, const char *text)
{
    struct dataset d;
    struct err e = { 0 };
    int rc = dataset_open(&d, DIR, &e);

    if (!CHECK(rc == code && strstr(e.text, text) != NULL))
        printf("  %d \"%s\", expected \"%s\"\n", rc, e.text, text);
}

TEST(what_is_no_set_of_tokens_is_refused)
{
    static const char *const bad[] = { "0", "4294967296", "-1", "61 ", "x",
                                       "99999999999999999999" };
    struct tiny_set s = whole_set();
    struct stream_head h;
    struct set_out o;
    struct err e;

    for (size_t i = 0; i < LENGTH(bad); i++) {
        s.vocab = bad[i];
        tiny_set_make(DIR, &s);
        check_no_dataset(ERR_DATA, "vocab");
        CHECK(path_remove(DIR, &e) == 0);
    }
    s.vocab = "61";
    s.loss = "auto";
    tiny_set_make(DIR, &s);
    check_no_dataset(ERR_DATA, DIR ": header: key loss (found auto, expected "
                     "target or all)");
    CHECK(path_remove(DIR, &e) == 0);
    stream_head_init(&h, "text");
    CHECK(set_out_open(&o, DIR, false, &e) == 0);
    CHECK(set_out_begin(&o, &h, 256, &e) == 0);
    CHECK(set_out_finish(&o, &e) == 0);
    set_out_release(&o);
    stream_head_release(&h);
    check_no_dataset(ERR_DATA, "text");
    CHECK(path_remove(DIR "/manifest.json", &e) == 0);
    check_no_dataset(ERR_DATA, DIR);
    CHECK(path_remove(DIR, &e) == 0);
}

/* A base of 61 rows, with that tokenizer.json or (NULL) without. */
static int
check_against(const struct dataset *d, const char *tokenizer, struct err *e)
{
    struct weight_asset a = { .name = "tokenizer.json", .data = tokenizer };
    struct model m = { .desc = { .vocab = 61 } };

    if (tokenizer != NULL) {
        a.n = strlen(tokenizer);
        m.weights = (struct weights){ .asset = &a, .n_assets = 1 };
    }
    return dataset_check(d, &m, e);
}

TEST(a_set_is_for_the_base_whose_tokenizer_made_it)
{
    struct id id = id_of("{\"own\"}", 7);
    struct tiny_set s = whole_set();
    char hex[ID_HEX + 1];
    struct dataset d;
    struct err e;

    s.tokenizer = id_hex(&id, hex);
    open_set(&d, &s);
    CHECK(check_against(&d, "{\"own\"}", &e) == 0);
    CHECK(check_against(&d, NULL, &e) == 0); /* nobody knows */
    CHECK(check_against(&d, "{\"other\"}", &e) == ERR_DATA);
    CHECK(strstr(e.text, DIR ": made with another tokenizer") == e.text);
    CHECK(check_against(&d, "", &e) == ERR_DATA);
    dataset_release(&d);
    s.tokenizer = NULL;
    open_set(&d, &s);
    CHECK(check_against(&d, "{\"other\"}", &e) == 0);
    dataset_release(&d);
    s.vocab = "62";
    open_set(&d, &s);
    CHECK(check_against(&d, NULL, &e) == ERR_DATA);
    CHECK(strstr(e.text, "vocabulary of 62 over the model's 61") != NULL);
    dataset_release(&d);
    s.vocab = NULL;
    open_set(&d, &s);
    CHECK(check_against(&d, NULL, &e) == 0);
    close_set(&d);
}

/* Record i of the split is r, token by token and by where it is from. */
static void
check_record(struct data_split *s, uint64_t i, uint64_t in_set)
{
    const struct tiny_record *r = &records[in_set];
    struct token_source *source = &s->source;
    uint32_t ids[TINY_LETTERS];
    uint8_t learn[TINY_LETTERS];
    struct record_tokens t;
    struct data_place p;
    struct err e;
    size_t n = strlen(r->letters);

    tiny_letters(r->letters, ids, learn);
    if (s->data->loss == LOSS_ALL)
        memset(learn, 1, n);
    CHECK_EQ_U64(source->len[i], n);
    if (CHECK(source->get(source->ctx, i, &t, &e) == 0)
        && CHECK_EQ_U64(t.n, n)) {
        CHECK(n == 0 || memcmp(t.ids, ids, n * sizeof(*ids)) == 0);
        CHECK(n == 0 || memcmp(t.learn, learn, n) == 0);
    }
    if (!CHECK(data_split_place(s, i, &p, &e) == 0))
        return;
    CHECK_EQ_U64(p.record, in_set);
    CHECK_EQ_U64(p.ordinal, r->ordinal);
    CHECK(p.time == r->time);
}

/* All tokens, and those to be learned that have one before them. */
static void
check_sums(const struct data_split *s, const uint64_t *in_set, size_t n)
{
    uint64_t tokens = 0, learned = 0;

    for (size_t i = 0; i < n; i++) {
        const char *p = records[in_set[i]].letters;

        tokens += strlen(p);
        for (size_t k = 1; k < strlen(p); k++)
            learned += islower(p[k]) != 0 || s->data->loss == LOSS_ALL;
    }
    CHECK_EQ_U64(s->tokens, tokens);
    CHECK_EQ_U64(s->supervised, learned);
}

static void
check_split(struct dataset *d, const char *name, uint64_t most,
            const uint64_t *in_set, size_t n)
{
    struct data_split s;
    struct err e;

    if (!CHECK(data_split_open(&s, d, name, most, 61, &e) == 0))
        return;
    CHECK_EQ_U64(s.source.n_records, n);
    CHECK_EQ_U64(s.source.vocab, 61);
    CHECK(s.source.cluster == NULL);
    for (size_t i = 0; i < n; i++)
        check_record(&s, i, in_set[i]);
    for (size_t i = n; i-- > 0;)
        check_record(&s, i, in_set[i]);
    check_sums(&s, in_set, n);
    data_split_release(&s);
}

static void
check_splits(struct dataset *d)
{
    check_split(d, "train", 0, in_train, LENGTH(in_train));
    check_split(d, "val", 0, in_val, LENGTH(in_val));
    check_split(d, "test", 0, NULL, 0);
}

TEST(records_are_found_by_their_number_in_the_split)
{
    check_set(whole_set(), check_splits);
}

/* What the set says, and what the caller says in its place. */
static void
check_other(struct dataset *d)
{
    check_splits(d);
    d->loss = d->loss == LOSS_ALL ? LOSS_TARGET : LOSS_ALL;
    check_splits(d);
}

TEST(what_is_learned_is_what_the_set_says_or_the_caller)
{
    struct tiny_set s = whole_set();

    s.loss = "target";
    check_set(s, check_other);
    s.loss = "all";
    check_set(s, check_other);
}

/* Record i of n is i total / n of the split's: 0, 2, 4, 6 of 9. */
static void
check_some(struct dataset *d)
{
    uint64_t four[4];

    for (size_t i = 0; i < 4; i++)
        four[i] = in_train[2 * i];
    check_split(d, "train", 4, four, LENGTH(four));
    check_split(d, "train", 1, in_train, 1);
    check_split(d, "train", 9, in_train, LENGTH(in_train));
    check_split(d, "train", 10, in_train, LENGTH(in_train));
    check_split(d, "test", 3, NULL, 0);
}

TEST(some_records_are_spread_over_the_split)
{
    check_set(whole_set(), check_some);
}

static void
check_ids(struct dataset *d)
{
    struct data_split split;
    struct err e = { 0 };

    CHECK(data_split_open(&split, d, "train", 0, 25, &e) == ERR_DATA);
    CHECK(strstr(e.text, DIR) == e.text); /* 'z' is 25 */
    CHECK(data_split_open(&split, d, "val", 0, 26, &e) == 0);
    data_split_release(&split);
    CHECK(data_split_open(&split, d, "val", 0, 25, &e) == ERR_DATA);
}

TEST(an_id_that_the_model_has_no_row_for_is_refused)
{
    check_set(whole_set(), check_ids);
}

static void
check_clusters(struct dataset *d, const char *name, const uint32_t *want,
               size_t n)
{
    struct data_split s;
    struct err e;

    CHECK(data_split_open(&s, d, name, 0, 61, &e) == 0);
    if (CHECK(data_split_cluster(&s, &e) == 0)
        && CHECK(n == 0 || s.source.cluster != NULL))
        for (size_t i = 0; i < n; i++)
            if (!CHECK_EQ_U64(s.source.cluster[i], want[i]))
                printf("  %s %zu\n", name, i);
    data_split_release(&s);
}

/* By hand. A commit is known wherever its records are, also with those of
 * another in between; a document only as long as it goes on. */
static void
check_commits(struct dataset *d)
{
    static const uint32_t train[] = { 0, 0, 1, 2, 0, 3, 3, 4, 5 };
    static const uint32_t val[] = { 0, 0, 1 };

    check_clusters(d, "train", train, LENGTH(train));
    check_clusters(d, "val", val, LENGTH(val));
    check_clusters(d, "test", NULL, 0);
}

TEST(records_of_one_commit_are_one_cluster)
{
    check_set(whole_set(), check_commits);
}

static void
check_mixed(struct dataset *d)
{
    static const uint32_t want[] = { 0, 1, 0, 2, 3, 4, 1, 3 };

    check_clusters(d, "train", want, LENGTH(want));
}

/* Without times ordinals say nothing; with the same time the ordinal tells
 * commits apart. */
TEST(neither_ordinal_nor_time_alone_makes_a_commit)
{
    static const struct tiny_record mixed[] = {
        { 0, 9, "ab" }, { 1, 9, "ab" }, { 0, 9, "ab" }, { 0, 0, "ab" },
        { 0, -9, "ab" }, { 0, 0, "ab" }, { 1, 9, "ab" }, { 0, -9, "ab" },
    };
    static const struct tiny_range all = { "train", 0, LENGTH(mixed) };

    check_set((struct tiny_set){ .record = mixed, .range = &all,
                                 .n_records = LENGTH(mixed), .n_ranges = 1,
                                 .vocab = "61" }, check_mixed);
}

/* What data_check_length says of the training split at that length. */
static int
length_said(struct dataset *d, uint8_t pos, uint32_t max_pos,
            uint32_t seq_len, struct said *said, struct err *e)
{
    struct model m = { .desc = { .pos = pos, .max_pos = max_pos,
                                 .bounded = pos == POS_LEARNED },
                       .weights = { .path = (char *)"base" } };
    struct data_split s;
    int rc;

    CHECK(data_split_open(&s, d, "train", 0, 61, e) == 0);
    said_begin(said);
    rc = data_check_length(&s, &m, seq_len, e);
    said_end(said);
    data_split_release(&s);
    return rc;
}

/* A record of n tokens has n - 1 positions: of train's, the one of 8 letters
 * goes beyond 6, and with those of 5 three go beyond 3. */
TEST(lengths_beyond_the_positions_are_refused_or_counted)
{
    struct tiny_set s = whole_set();
    struct said said;
    struct dataset d;
    struct err e;

    open_set(&d, &s);
    CHECK(length_said(&d, POS_LEARNED, 6, 6, &said, &e) == 0);
    CHECK_STR(said.text, "");
    CHECK(length_said(&d, POS_LEARNED, 6, 7, &said, &e) == ERR_USAGE);
    CHECK(strstr(e.text, "base: has 6 learned positions") == e.text);
    CHECK(length_said(&d, POS_ROTARY, 6, 6, &said, &e) == 0);
    CHECK_STR(said.text, "");
    CHECK(length_said(&d, POS_ROTARY, 6, 7, &said, &e) == 0);
    CHECK(strstr(said.text, ": 1 of 9 records go beyond\n") != NULL);
    CHECK(length_said(&d, POS_ROTARY, 7, 8, &said, &e) == 0);
    CHECK(strstr(said.text, ": 0 of 9 records go beyond\n") != NULL);
    CHECK(length_said(&d, POS_ROTARY, 3, 100, &said, &e) == 0);
    CHECK(strstr(said.text, ": 3 of 9 records go beyond\n") != NULL);
    close_set(&d);
}

static const struct test tests[] = {
    RUN(the_head_says_vocabulary_tokenizer_and_loss),
    RUN(what_is_no_set_of_tokens_is_refused),
    RUN(a_set_is_for_the_base_whose_tokenizer_made_it),
    RUN(records_are_found_by_their_number_in_the_split),
    RUN(what_is_learned_is_what_the_set_says_or_the_caller),
    RUN(some_records_are_spread_over_the_split),
    RUN(an_id_that_the_model_has_no_row_for_is_refused),
    RUN(records_of_one_commit_are_one_cluster),
    RUN(neither_ordinal_nor_time_alone_makes_a_commit),
    RUN(lengths_beyond_the_positions_are_refused_or_counted),
};

TEST_MAIN("dataset", tests)
