/* score.c - losses on a split: each record's own, whatever it is packed with,
 * and the summary, made of the lines of the records once more. Long, for most
 * of it is the small world that is scored. */
#include "eval/score.h"

#include <math.h>

#include "base/io.h"
#include "base/json.h"
#include "eval/mean_loss.h"
#include "said.h"
#include "test.h"
#include "tiny_set.h"
#include "tiny_world.h"

#define DIR "score-test.tmp"
#define LINES "score-lines.tmp"
#define SEQ_LEN 10
#define MOST 16 /* records */

static const struct tiny_record records[] = {
    { 0, 9, "zzzz" }, { 1, 10, "abcdefgh" }, { 1, 10, "AbCdEf" },
    { 2, 11, "a" }, { 3, 12, "HELLOworld" }, { 4, 13, "ABCD" },
    { 5, 14, "thequickbrownfoxjumpsover" }, { 1, 10, "xyz" },
    { 6, 15, "abcdefghijk" }, { 9, 20, "Q" }, { 9, 21, "" },
};
/* Records 1 to 8 are measured; those of "none" have nothing to predict. */
static const struct tiny_range ranges[] = {
    { "train", 0, 1 }, { "test", 1, 9 }, { "none", 9, 11 },
};
static const struct tiny_set set = { .record = records, .n_records = 11,
                                     .range = ranges, .n_ranges = 3,
                                     .vocab = "61" };
#define FIRST 1
#define N_TEST 8

/* What the lines of --per-record say, of the tokens to be learned and of
 * all. */
struct measured {
    uint64_t tokens[MOST];
    double base[MOST], adapter[MOST]; /* NAN for null or nothing */
};

struct lines {
    size_t n;
    uint64_t record[MOST], ordinal[MOST];
    uint32_t cluster[MOST];
    struct measured target, all;
};

static double
number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItem(o, key);

    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static void
read_measured(struct measured *m, size_t i, const cJSON *o)
{
    m->tokens[i] = (uint64_t)number(o, "tokens");
    m->base[i] = number(o, "base");
    m->adapter[i] = number(o, "adapter");
}

static void
read_lines(struct lines *l)
{
    bool got, ended;
    struct buf line;
    struct in in;
    struct err e;

    memset(l, 0, sizeof(*l));
    buf_init(&line);
    if (!CHECK(in_open(&in, LINES, &e) == 0))
        return;
    while (in_line(&in, &line, 1 << 16, &got, &ended, &e) == 0 && got) {
        cJSON *o = cJSON_Parse(line.data);

        CHECK(o != NULL && l->n < MOST);
        l->record[l->n] = (uint64_t)number(o, "record");
        l->ordinal[l->n] = (uint64_t)number(o, "ordinal");
        l->cluster[l->n] = (uint32_t)number(o, "cluster");
        read_measured(&l->target, l->n, o);
        read_measured(&l->all, l->n++, cJSON_GetObjectItem(o, "all"));
        cJSON_Delete(o);
    }
    in_release(&in);
    buf_release(&line);
    CHECK(path_remove(LINES, &e) == 0);
}

/* score_split's summary as an object, the lines, and what went to stderr;
 * exits on failure. */
static cJSON *
score(const struct tiny_world *w, const struct score_opts *o,
      struct lines *l, struct said *said)
{
    struct score_opts with = *o;
    struct buf b;
    struct err e;
    cJSON *root;
    int rc;

    with.per_record = LINES;
    buf_init(&b);
    buf_addstr(&b, "{\"x\": 0");
    said_begin(said);
    rc = score_split(&w->model, &with, &b, &e);
    said_end(said);
    if (!CHECK(rc == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    buf_addc(&b, '}');
    root = cJSON_Parse(b.data);
    if (!CHECK(root != NULL))
        printf("  %s\n", b.data);
    buf_release(&b);
    read_lines(l);
    return root;
}

static struct score_opts
opts_of(const char *split)
{
    return (struct score_opts){ .data = DIR, .split = split, .batch = 2,
                                .seq_len = SEQ_LEN };
}

/* The set goes with it. */
static void
close_world(struct tiny_world *w)
{
    struct err e;

    tiny_world_close(w);
    CHECK(path_remove(DIR, &e) == 0);
}

static bool
near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

/* ---- a record by itself ---- */

/* Adds the losses of piece[n + 1], tokens of one document. */
static void
add_piece(struct exec *x, const uint32_t *piece, const uint8_t *learn,
          uint32_t n, struct record_loss *out)
{
    int32_t ids[SEQ_LEN] = { 0 }, target[SEQ_LEN] = { 0 };
    int32_t pos[SEQ_LEN] = { 0 }, doc[SEQ_LEN] = { 0 };
    int32_t row[SEQ_LEN] = { 0 };
    float weight[SEQ_LEN] = { 0 };
    struct batch b = { .ids = ids, .target = target, .pos = pos,
                       .doc_first = doc, .head_row = row, .weight = weight,
                       .n = SEQ_LEN };
    double loss[SEQ_LEN];
    struct err e;

    x->in = (struct inputs){ .n_head = 0 };
    for (uint32_t i = 0; i < SEQ_LEN; i++) {
        pos[i] = (int32_t)i;
        if (i >= n)
            continue;
        ids[i] = (int32_t)piece[i];
        target[i] = (int32_t)piece[i + 1];
        weight[i] = learn[i + 1];
        if (learn[i + 1])
            row[x->in.n_head++] = (int32_t)i;
    }
    CHECK(exec_batch(x, &b, &e) == 0);
    CHECK(exec_forward(x, &e) == 0);
    CHECK(exec_get(x, &x->prog->row_loss, loss, &e) == 0);
    for (uint32_t i = 0; i < n; i++) {
        out->sum += learn[i + 1] ? loss[i] : 0;
        out->n += learn[i + 1];
    }
}

/* The base's loss on the record, a piece of SEQ_LEN positions at a time: of
 * the tokens to be learned, or of all. */
static struct record_loss
loss_alone(const struct tiny_world *w, const char *letters, bool all)
{
    struct prog_opts o = { .mode = PROG_EVAL, .batch = 1,
                           .seq_len = SEQ_LEN, .head_chunk = 4 };
    uint32_t ids[TINY_LETTERS], n = (uint32_t)strlen(letters);
    uint8_t learn[TINY_LETTERS];
    struct record_loss out = { 0, 0 };
    struct backend b = w->model.backend;
    struct prog p;
    struct exec x;
    struct err e;

    tiny_letters(letters, ids, learn);
    if (all)
        memset(learn, 1, sizeof(learn));
    CHECK(prog_build(&p, &w->model.desc, &o, &w->model.base, &b, &e) == 0);
    CHECK(exec_open(&x, &p, &b, NULL, &e) == 0);
    for (uint32_t at = 0; at + 1 < n; at += SEQ_LEN)
        add_piece(&x, ids + at, learn + at,
                  n - 1 - at < SEQ_LEN ? n - 1 - at : SEQ_LEN, &out);
    exec_release(&x);
    prog_release(&p);
    return out;
}

static void
check_alone(const struct measured *m, size_t i, struct record_loss alone)
{
    CHECK_EQ_U64(m->tokens[i], alone.n);
    CHECK(isnan(m->adapter[i]));
    if (alone.n == 0)
        CHECK(isnan(m->base[i]));
    else
        CHECK(fabs(m->base[i] - alone.sum / (double)alone.n) < 1e-6);
}

TEST(a_records_loss_is_what_it_has_alone)
{
    struct score_opts o = opts_of("test");
    struct tiny_world w;
    struct said said;
    struct lines l;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_set_make(DIR, &set);
    cJSON_Delete(score(&w, &o, &l, &said));
    CHECK_EQ_U64(l.n, N_TEST);
    for (size_t i = 0; i < l.n; i++) {
        const struct tiny_record *r = &records[FIRST + i];

        CHECK_EQ_U64(l.record[i], FIRST + i);
        CHECK_EQ_U64(l.ordinal[i], r->ordinal);
        check_alone(&l.target, i, loss_alone(&w, r->letters, false));
        check_alone(&l.all, i, loss_alone(&w, r->letters, true));
    }
    close_world(&w);
}

/* ---- the summary ---- */

/* Mean and half width by their definition: all clusters but one, in turn;
 * tokens are m's, t is Student's for the clusters there are. */
static void
jackknife(const struct lines *l, const struct measured *m, const double *x,
          double t, double *mean, double *half)
{
    double sum = 0, n = 0, var = 0, groups = 0;

    for (size_t i = 0; i < l->n; i++) {
        sum += m->tokens[i] ? x[i] * (double)m->tokens[i] : 0;
        n += (double)m->tokens[i];
    }
    *mean = sum / n;
    for (uint32_t g = 0; g < MOST; g++) {
        double s = sum, k = n;

        for (size_t i = 0; i < l->n; i++) {
            if (l->cluster[i] != g || m->tokens[i] == 0)
                continue;
            s -= x[i] * (double)m->tokens[i];
            k -= (double)m->tokens[i];
        }
        groups += k < n;
        var += k < n ? (s / k - *mean) * (s / k - *mean) : 0;
    }
    *half = t * sqrt(var * (groups - 1) / groups);
}

/* Student's t for 95% and 3 and 4 degrees of freedom. */
#define T_3 3.182446305284263
#define T_4 2.7764451051977987

/* The member of that name says mean and half width of x, and (unless it is a
 * difference) its perplexities. */
static void
check_member(const cJSON *root, const char *name, const struct lines *l,
             const struct measured *m, const double *x, double t)
{
    const cJSON *o = cJSON_GetObjectItem(root, name);
    double mean, half;

    jackknife(l, m, x, t, &mean, &half);
    if (!CHECK(near(number(o, "loss"), mean)
               && near(number(o, "half_width"), half)))
        printf("  %s: %.10g %.10g, expected %.10g %.10g\n", name,
               number(o, "loss"), number(o, "half_width"), mean, half);
    if (strcmp(name, "difference") == 0) {
        CHECK_EQ_U64(cJSON_GetArraySize(o), 2);
        return;
    }
    CHECK_EQ_U64(cJSON_GetArraySize(o), 5);
    CHECK(near(number(o, "perplexity"), exp(mean)));
    CHECK(near(number(o, "perplexity_low"), exp(mean - half)));
    CHECK(near(number(o, "perplexity_high"), exp(mean + half)));
}

/* The tokens' number, and base, adapter and difference of them. */
static void
check_models(const cJSON *root, const struct lines *l,
             const struct measured *m, double t)
{
    double difference[MOST], tokens = 0;

    for (size_t i = 0; i < l->n; i++) {
        tokens += (double)m->tokens[i];
        difference[i] = m->adapter[i] - m->base[i];
        CHECK((m->tokens[i] == 0) == isnan(m->adapter[i]));
        CHECK(isnan(difference[i]) || fabs(difference[i]) > 1e-4);
    }
    CHECK(number(root, "tokens") == tokens);
    check_member(root, "base", l, m, m->base, t);
    check_member(root, "adapter", l, m, m->adapter, t);
    check_member(root, "difference", l, m, difference, t);
}

/* Records 1, 2 and 7 are of one commit; 3 and 5 have no loss, so there are
 * four clusters. Of all tokens 3 alone, which is of one, has none. 25 and 11
 * letters are 24 and 10 positions. */
TEST(the_summary_is_made_of_the_records)
{
    static const uint32_t cluster[] = { 0, 0, 1, 2, 3, 4, 0, 5 };
    struct score_opts o = opts_of("test");
    struct tiny_world w;
    struct tiny_set s = set;
    struct said said;
    struct lines l;
    cJSON *root, *all;

    s.loss = "all"; /* the target is told apart, whatever is learned */
    tiny_world_open(&w, tiny_llama, NULL);
    tiny_adapter(&w);
    tiny_set_make(DIR, &s);
    root = score(&w, &o, &l, &said);
    for (size_t i = 0; i < l.n; i++)
        CHECK_EQ_U64(l.cluster[i], cluster[i]);
    CHECK_STR(cJSON_GetObjectItem(root, "split")->valuestring, "test");
    CHECK(number(root, "seq_len") == SEQ_LEN);
    CHECK(number(root, "records") == 6);
    CHECK(number(root, "clusters") == 4);
    CHECK(number(root, "cut") == 1);
    CHECK(strstr(said.text, "1 of 8 records are longer than --seq-len 10"));
    CHECK(strstr(said.text, "no interval") == NULL);
    check_models(root, &l, &l.target, T_3);
    all = cJSON_GetObjectItem(root, "all");
    CHECK(number(all, "records") == 7);
    CHECK(number(all, "clusters") == 5);
    check_models(all, &l, &l.all, T_4);
    CHECK(number(all, "tokens") > number(root, "tokens"));
    cJSON_Delete(root);
    close_world(&w);
}

/* Two of eight are records 0 and 4; of the latter nothing is learned. */
TEST(some_records_alone)
{
    struct score_opts o = opts_of("test");
    struct lines all, two;
    struct tiny_world w;
    struct said said;
    cJSON *root;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_set_make(DIR, &set);
    cJSON_Delete(score(&w, &o, &all, &said));
    o.records = 2;
    o.seq_len = 0;
    root = score(&w, &o, &two, &said);
    CHECK_EQ_U64(two.n, 2);
    CHECK(two.record[0] == all.record[0] && two.record[1] == all.record[4]);
    CHECK(two.target.base[0] == all.target.base[0]);
    CHECK(two.all.base[1] == all.all.base[4]);
    CHECK(number(root, "clusters") == 1);
    CHECK(number(root, "seq_len") == 64); /* the base's */
    CHECK(number(root, "cut") == 0);
    CHECK(strstr(said.text, "there is no interval") != NULL);
    CHECK(strstr(said.text, "are longer") == NULL);
    CHECK(cJSON_GetObjectItem(root, "adapter") == NULL);
    CHECK(cJSON_GetObjectItem(root, "difference") == NULL);
    CHECK(cJSON_IsNull(cJSON_GetObjectItem(
        cJSON_GetObjectItem(root, "base"), "half_width")));
    cJSON_Delete(root);
    o.records = 1000;
    cJSON_Delete(score(&w, &o, &two, &said));
    CHECK_EQ_U64(two.n, N_TEST);
    close_world(&w);
}

/* ---- what is refused ---- */

/* Both say so, or score_split alone; neither leaves anything. */
static void
check_refused(const struct tiny_world *w, const struct score_opts *o,
              bool at_once, int code, const char *want)
{
    struct score_opts with = *o;
    struct err e = { 0 };
    struct buf b;

    with.per_record = LINES;
    buf_init(&b);
    if (at_once) {
        CHECK(score_check(&w->model, &with, &e) == code);
        CHECK(strstr(e.text, want) != NULL);
    } else {
        CHECK(score_check(&w->model, &with, &e) == 0);
    }
    e.text[0] = '\0';
    if (!CHECK(score_split(&w->model, &with, &b, &e) == code
               && strstr(e.text, want) != NULL))
        printf("  \"%s\", expected \"%s\"\n", e.text, want);
    CHECK_EQ_U64(b.len, 0);
    CHECK(!path_exists(LINES));
}

TEST(splits_that_are_not_there_or_empty)
{
    struct score_opts o = opts_of("tset");
    struct tiny_world w;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_set_make(DIR, &set);
    check_refused(&w, &o, true, ERR_DATA,
                  DIR ": no split 'tset' (it has train, test, none)");
    o.split = "none";
    check_refused(&w, &o, false, ERR_DATA,
                  DIR ": nothing to measure in split 'none'");
    o.split = "test";
    o.data = DIR "/no";
    check_refused(&w, &o, true, ERR_IO, DIR "/no");
    close_world(&w);
}

/* The first record that is measured has a loss, those before it not. */
TEST(first_records_without_a_loss)
{
    static const struct tiny_range late = { "late", 3, 9 };
    struct tiny_set s = set;
    struct score_opts o = opts_of("late");
    struct tiny_world w;

    s.range = &late;
    s.n_ranges = 1;
    tiny_world_open(&w, tiny_llama, NULL);
    tiny_set_make(DIR, &s);
    o.records = 1;
    check_refused(&w, &o, false, ERR_DATA,
                  DIR ": nothing to measure in split 'late'");
    close_world(&w);
}

TEST(data_of_another_tokenizer_or_vocabulary)
{
    struct score_opts o = opts_of("test");
    struct tiny_set s = set;
    struct tiny_world w;

    tiny_world_open(&w, tiny_llama, "{}");
    s.tokenizer = "00ff";
    tiny_set_make(DIR, &s);
    check_refused(&w, &o, true, ERR_DATA, "made with another tokenizer");
    s.tokenizer = NULL;
    s.vocab = "62";
    tiny_set_make(DIR, &s);
    check_refused(&w, &o, true, ERR_DATA, "vocabulary of 62");
    close_world(&w);
}

TEST(sequences_that_the_positions_do_not_allow)
{
    struct score_opts o = opts_of("test");
    struct tiny_world w;

    tiny_world_open(&w, tiny_gpt2, NULL);
    tiny_set_make(DIR, &set);
    o.seq_len = 65;
    check_refused(&w, &o, false, ERR_USAGE, "has 64 learned positions");
    close_world(&w);
}

/* 2^24 rows of 2^17 floats are 8 TiB. */
TEST(what_does_not_fit_is_refused_before)
{
    static const char wide[] =
        "{\"model_type\": \"llama\", \"vocab_size\": 61,"
        " \"hidden_size\": 24, \"intermediate_size\": 131072,"
        " \"num_hidden_layers\": 1, \"num_attention_heads\": 4}";
    struct score_opts o = opts_of("test");
    struct tiny_world w;
    struct said said;
    struct err e = { 0 };

    tiny_world_open(&w, wide, NULL);
    tiny_set_make(DIR, &set);
    CHECK(score_check(&w.model, &o, &e) == 0);
    o.batch = 1 << 10;
    o.seq_len = 1 << 14;
    CHECK(score_check(&w.model, &o, &e) == ERR_LIMIT);
    CHECK(strstr(e.text, "evaluation") != NULL);
    o.force = true;
    said_begin(&said);
    CHECK(score_check(&w.model, &o, &e) == 0);
    CHECK(strstr(said_end(&said), "evaluation") != NULL);
    close_world(&w);
}

/* In one value of the base, or of the adapter alone. */
TEST(a_loss_that_is_not_finite)
{
    struct score_opts o = opts_of("test");
    struct tiny_world w;
    uint32_t head;
    float *p;

    tiny_world_open(&w, tiny_llama, NULL);
    tiny_set_make(DIR, &set);
    tiny_adapter(&w);
    w.values[1][0] = NAN;
    check_refused(&w, &o, false, ERR_DATA, "tiny: the loss is not finite");
    w.model.with = NULL;
    head = desc_module(&w.model.desc, ROLE_HEAD, 0)->weight;
    p = (float *)w.model.base.tensor[head].data;
    for (uint32_t i = 0; i < w.model.desc.vocab * w.model.desc.dim; i++)
        p[i] = INFINITY;
    check_refused(&w, &o, false, ERR_DATA, "tiny: the loss is not finite");
    close_world(&w);
}

static const struct test tests[] = {
    RUN(a_records_loss_is_what_it_has_alone),
    RUN(the_summary_is_made_of_the_records),
    RUN(some_records_alone),
    RUN(splits_that_are_not_there_or_empty),
    RUN(first_records_without_a_loss),
    RUN(data_of_another_tokenizer_or_vocabulary),
    RUN(sequences_that_the_positions_do_not_allow),
    RUN(what_does_not_fit_is_refused_before),
    RUN(a_loss_that_is_not_finite),
};

TEST_MAIN("score", tests)
