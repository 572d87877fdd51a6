/* encode.c - ids and merges as Hugging Face's tokenizers gives them
 * (tests/golden/encode.json, made by the script beside it), and llama.cpp's
 * cases. */
#include "text/tokenizer.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "text/bpe_train.h"

#include "test.h"

#define GOLDEN "tests/golden/encode.json"
#define MAX_TOKENIZERS 32

/* Tokenizers by name, opened when first asked for. */
struct shelf {
    struct map place; /* name to index */
    size_t n_small;   /* that come first, of the golden file */
    struct tokenizer t[MAX_TOKENIZERS];
    struct encoder en[MAX_TOKENIZERS];
};

static const char *
shared(void)
{
    const char *s = getenv("GRAFT_SHARED");

    return s ? s : "../shared";
}

static bool
have_shared(void)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/tokenizers", shared());
    return path_exists(path);
}

/* The reader before the value of that key of the golden file. */
static struct json
golden(struct buf *text, const char *key)
{
    struct err e;
    struct json j;
    struct buf name;

    buf_reset(text);
    buf_init(&name);
    if (file_read(text, GOLDEN, 1 << 24, &e) < 0
        || json_check(text->data, text->len, GOLDEN, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    j = json_on(text->data, text->len, GOLDEN);
    json_enter_object(&j, &e);
    while (json_next_key(&j, &name) && strcmp(name.data, key) != 0)
        json_skip(&j);
    buf_release(&name);
    return j;
}

static void
shelve(struct shelf *s, const char *name, size_t n, const char *text,
       size_t n_text)
{
    size_t i = s->place.n;
    struct err e;

    map_put(&s->place, name, n, i, NULL);
    if (!CHECK(tokenizer_read(&s->t[i], text, n_text, name, &e) == 0)) {
        printf("  %s\n", e.text);
        exit(1);
    }
    encoder_init(&s->en[i], &s->t[i]);
}

static void
shelve_small(struct shelf *s, struct json j)
{
    struct buf name, text;
    struct err e;

    buf_init(&name);
    buf_init(&text);
    json_enter_object(&j, &e);
    while (json_next_key(&j, &name)) {
        json_string(&j, &text, &e);
        shelve(s, name.data, name.len, text.data, text.len);
    }
    buf_release(&name);
    buf_release(&text);
}

/* The encoder of a name; NULL for one that is not of_shared, or is. */
static struct encoder *
take(struct shelf *s, const struct buf *name, bool of_shared)
{
    struct map_entry *found = map_get(&s->place, name->data, name->len);
    char path[4096];
    struct buf text;
    struct err e;

    if (found)
        return (found->value >= s->n_small) == of_shared ?
               &s->en[found->value] : NULL;
    if (!of_shared)
        return NULL;
    buf_init(&text);
    snprintf(path, sizeof(path), "%s/tokenizers/%s/tokenizer.json", shared(),
             name->data);
    if (CHECK(file_read(&text, path, TOKENIZER_MAX_FILE, &e) == 0))
        shelve(s, name->data, name->len, text.data, text.len);
    buf_release(&text);
    return &s->en[s->place.n - 1];
}

static void
drop(struct shelf *s)
{
    size_t i;

    for (i = 0; i < s->place.n; i++) {
        encoder_release(&s->en[i]);
        tokenizer_release(&s->t[i]);
    }
    map_release(&s->place);
}

static bool
same_ids(const struct ids *got, const struct ids *want)
{
    return got->n == want->n
           && (got->n == 0
            || memcmp(got->id, want->id, got->n * sizeof(got->id[0])) == 0);
}

static void
print_ids(const char *what, const struct ids *s)
{
    size_t i;

    printf("  %s", what);
    for (i = 0; i < s->n; i++)
        printf(" %u", s->id[i]);
    printf("\n");
}

/* Reads [tokenizer, text, ids] and compares; false for the other sort of
 * tokenizer. */
static bool
one_case(struct shelf *s, struct json *j, bool of_shared, struct ids *got,
         struct ids *want)
{
    struct buf name, text;
    struct encoder *en;
    struct err e;
    uint64_t id;

    buf_init(&name);
    buf_init(&text);
    got->n = want->n = 0;
    json_enter_array(j, &e);
    json_next_item(j);
    json_string(j, &name, &e);
    json_next_item(j);
    json_string(j, &text, &e);
    json_next_item(j);
    json_enter_array(j, &e);
    while (json_next_item(j)) {
        json_u64(j, &id, &e);
        ids_add(want, (uint32_t)id);
    }
    json_next_item(j);
    en = take(s, &name, of_shared);
    if (en)
        encoder_add(en, text.data, text.len, true, got);
    if (en && !CHECK(same_ids(got, want))) {
        printf("  %s: \"%s\"\n", name.data, text.data);
        print_ids("got", got);
        print_ids("want", want);
    }
    buf_release(&name);
    buf_release(&text);
    return en != NULL;
}

/* The cases of the shared tokenizers, or of the small ones. */
static void
all_cases(bool of_shared)
{
    struct shelf s;
    struct buf text;
    struct ids got, want;
    struct json j;
    struct err e;
    size_t n = 0;

    memset(&s, 0, sizeof(s));
    map_init(&s.place);
    buf_init(&text);
    ids_init(&got);
    ids_init(&want);
    shelve_small(&s, golden(&text, "files"));
    s.n_small = s.place.n;
    j = golden(&text, "cases");
    json_enter_array(&j, &e);
    while (json_next_item(&j))
        n += one_case(&s, &j, of_shared, &got, &want);
    CHECK(n > 100);
    ids_release(&got);
    ids_release(&want);
    buf_release(&text);
    drop(&s);
}

TEST(small_tokenizers_give_the_ids_of_tokenizers)
{
    all_cases(false);
}

TEST(the_shared_tokenizers_give_the_ids_of_tokenizers)
{
    if (!have_shared())
        SKIP("no GRAFT_SHARED");
    all_cases(true);
}

/* ---- training ---- */

static void
read_strings(struct json *j, char **list, size_t *len, size_t *n)
{
    struct buf s;
    struct err e;

    buf_init(&s);
    *n = 0;
    json_enter_array(j, &e);
    while (json_next_item(j)) {
        json_string(j, &s, &e);
        list[*n] = malloc(s.len + 1);
        memcpy(list[*n], s.data, s.len + 1);
        len[(*n)++] = s.len;
    }
    buf_release(&s);
}

/* [texts, special, size, least, file] */
static void
one_training(struct json *j)
{
    char *text[64], *special[64];
    size_t len[64], special_len[64], n_texts, n_special, i;
    struct bpe_train_options o = { 0 };
    struct bpe_trainer t;
    struct buf want, got;
    struct bpe_trained made;
    uint64_t size, least;
    struct err e;

    buf_init(&want);
    buf_init(&got);
    json_enter_array(j, &e);
    json_next_item(j);
    read_strings(j, text, len, &n_texts);
    json_next_item(j);
    read_strings(j, special, special_len, &n_special);
    json_next_item(j);
    json_u64(j, &size, &e);
    json_next_item(j);
    json_u64(j, &least, &e);
    json_next_item(j);
    json_string(j, &want, &e);
    json_next_item(j);

    bpe_trainer_init(&t);
    for (i = 0; i < n_texts; i++)
        bpe_trainer_add(&t, text[i], len[i]);
    o.size = (uint32_t)size;
    o.min_frequency = least;
    o.special = (const char *const *)special;
    o.n_special = n_special;
    CHECK(bpe_trainer_finish(&t, &o, &got, &made, &e) == 0);
    bpe_trainer_release(&t);
    CHECK(made.n_tokens <= size);
    CHECK_STR(got.data, want.data);
    for (i = 0; i < n_texts; i++)
        free(text[i]);
    for (i = 0; i < n_special; i++)
        free(special[i]);
    buf_release(&want);
    buf_release(&got);
}

TEST(training_gives_the_file_of_BpeTrainer)
{
    struct buf text;
    struct json j;
    struct err e;
    size_t n = 0;

    buf_init(&text);
    j = golden(&text, "train");
    json_enter_array(&j, &e);
    for (; json_next_item(&j); n++)
        one_training(&j);
    CHECK(n >= 5);
    buf_release(&text);
}

/* ---- llama.cpp's cases ---- */

/* Texts are parted by a line, answers are lines of ids. */
static void
llama_cases(const char *tokenizer, const char *name)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char path[4096];
    struct buf in, out;
    struct tokenizer t;
    struct encoder en;
    struct ids got, want;
    struct err e;
    char *text, *end, *line;
    size_t n = 0;

    buf_init(&in);
    buf_init(&out);
    ids_init(&got);
    ids_init(&want);
    snprintf(path, sizeof(path), "%s/tokenizers/%s/tokenizer.json", shared(),
             tokenizer);
    if (!CHECK(tokenizer_open(&t, path, &e) == 0))
        return;
    encoder_init(&en, &t);
    snprintf(path, sizeof(path), "%s/tokenizers/cases/ggml-vocab-%s.gguf.inp",
             shared(), name);
    CHECK(file_read(&in, path, 1 << 20, &e) == 0);
    memcpy(path + strlen(path) - 3, "out", 3);
    CHECK(file_read(&out, path, 1 << 20, &e) == 0);
    line = out.data;
    for (text = in.data; (end = strstr(text, mark)) != NULL; n++) {
        got.n = want.n = 0;
        encoder_add(&en, text, (size_t)(end - text), true, &got);
        for (; *line && *line != '\n'; line += *line == ' ')
            ids_add(&want, (uint32_t)strtoul(line, &line, 10));
        line += *line == '\n';
        if (!CHECK(same_ids(&got, &want))) {
            printf("  %s: case %zu\n", name, n);
            print_ids("got", &got);
            print_ids("want", &want);
        }
        text = end + strlen(mark);
    }
    CHECK(n > 40);
    ids_release(&got);
    ids_release(&want);
    buf_release(&in);
    buf_release(&out);
    encoder_release(&en);
    tokenizer_release(&t);
}

TEST(llama_cpp_cases_are_encoded_as_expected)
{
    if (!have_shared())
        SKIP("no GRAFT_SHARED");
    llama_cases("gpt2", "gpt-2");
    llama_cases("qwen2.5", "qwen2");
    llama_cases("starcoder2", "starcoder");
}

static const struct test tests[] = {
    RUN(small_tokenizers_give_the_ids_of_tokenizers),
    RUN(the_shared_tokenizers_give_the_ids_of_tokenizers),
    RUN(training_gives_the_file_of_BpeTrainer),
    RUN(llama_cpp_cases_are_encoded_as_expected),
};

TEST_MAIN("encode", tests)
