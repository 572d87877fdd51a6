/* modeldir.c - model directories: indexes, hostile names, atomic writing. */
#include "tensor/modeldir.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

#define DIR "modeldir-test.tmp"

/* A safetensors file of F32 scalars with these one-letter names. */
static void
write_tensors(const char *path, const char *names)
{
    static char text[26][2];
    struct safetensor t[26] = { 0 };
    struct err e = { 0 };
    struct out out;
    size_t n = strlen(names);

    for (size_t i = 0; i < n; i++) {
        text[i][0] = names[i];
        t[i].name = text[i];
        t[i].dtype = DTYPE_F32;
    }
    CHECK(out_open(&out, path, &e) == 0);
    CHECK(safetensors_start(&out, t, n, NULL, 0, &e) == 0);
    for (size_t i = 0; i < n; i++)
        CHECK(out_write(&out, "\0\0\200\077", 4, &e) == 0);
    CHECK(out_commit(&out, &e) == 0);
}

static void
write_text(const char *path, const char *text)
{
    struct err e = { 0 };

    CHECK(file_write(path, text, strlen(text), &e) == 0);
}

static void
start(void)
{
    struct err e = { 0 };

    CHECK(path_remove(DIR, &e) == 0);
    CHECK(dir_make(DIR, &e) == 0);
}

static void
finish(void)
{
    struct err e = { 0 };

    CHECK(path_remove(DIR, &e) == 0);
}

static void
check_refused(const char *part)
{
    struct modeldir d;
    struct err e = { 0 };

    CHECK(modeldir_open(&d, DIR, &e) == ERR_DATA);
    if (!strstr(e.text, part))
        CHECK_STR(e.text, part);
}

static void
check_index(const char *weight_map, const char *part)
{
    struct buf b;

    buf_init(&b);
    buf_addf(&b, "{\"metadata\":{},\"weight_map\":%s}", weight_map);
    write_text(DIR "/" MODELDIR_INDEX, b.data);
    buf_release(&b);
    check_refused(part);
}

TEST(a_single_file)
{
    struct modeldir d;
    struct err e = { 0 };

    start();
    write_tensors(DIR "/model.safetensors", "cab");
    CHECK(modeldir_open(&d, DIR, &e) == 0);
    CHECK_EQ_U64(d.n_files, 1);
    CHECK_EQ_U64(d.n, 3);
    for (size_t i = 0; i < d.n; i++)
        CHECK_EQ_U64(d.item[i].t->name[0], 'a' + i);
    modeldir_release(&d);
    finish();
}

TEST(several_files_with_an_index)
{
    struct modeldir d;
    struct err e = { 0 };

    start();
    write_tensors(DIR "/one.safetensors", "ad");
    write_tensors(DIR "/two.safetensors", "bc");
    write_text(DIR "/" MODELDIR_INDEX, "{\"weight_map\":{\"a\":\"one."
               "safetensors\",\"b\":\"two.safetensors\",\"c\":"
               "\"two.safetensors\",\"d\":\"one.safetensors\"}}");
    CHECK(modeldir_open(&d, DIR, &e) == 0);
    CHECK_EQ_U64(d.n_files, 2);
    CHECK_EQ_U64(d.n, 4);
    for (size_t i = 0; i < d.n; i++)
        CHECK_EQ_U64(d.item[i].t->name[0], 'a' + i);
    CHECK_STR(d.item[2].file->path, DIR "/two.safetensors");
    modeldir_release(&d);

    /* The single file goes first, as in transformers. */
    write_tensors(DIR "/model.safetensors", "x");
    CHECK(modeldir_open(&d, DIR, &e) == 0);
    CHECK_EQ_U64(d.n, 1);
    modeldir_release(&d);
    finish();
}

TEST(row_40_names_that_leave_the_directory)
{
    start();
    write_tensors(DIR "/one.safetensors", "a");
    check_index("{\"a\":\"../one.safetensors\"}", "not the name of a file");
    check_index("{\"a\":\"/etc/passwd\"}", "not the name of a file");
    check_index("{\"a\":\"..\"}", "not the name of a file");
    check_index("{\"a\":\"\"}", "not the name of a file");
    check_index("{\"a\":\"x/one.safetensors\"}", "not the name of a file");
    check_index("{\"a\":\"one.safetensors\\u0000\"}", "one.safetensors");
    check_index("{\"a\":1}", MODELDIR_INDEX);
    check_index("[]", MODELDIR_INDEX);
    write_text(DIR "/" MODELDIR_INDEX, "{\"metadata\":{}}");
    check_refused("no weight_map");
    finish();
}

TEST(row_40_every_missing_file_is_listed_once)
{
    struct modeldir d;
    struct err e = { 0 };
    const char *first;

    start();
    write_tensors(DIR "/one.safetensors", "a");
    write_text(DIR "/" MODELDIR_INDEX, "{\"weight_map\":{\"a\":\"one."
               "safetensors\",\"b\":\"gone-1\",\"c\":\"gone-2\","
               "\"d\":\"gone-1\"}}");
    CHECK(modeldir_open(&d, DIR, &e) == ERR_DATA);
    CHECK(strstr(e.text, "2 of 3 files are missing") != NULL);
    first = strstr(e.text, "gone-1");
    CHECK(first && !strstr(first + 1, "gone-1"));
    CHECK(strstr(e.text, "gone-2") != NULL);
    CHECK(!strstr(e.text, "one.safetensors"));
    finish();
}

TEST(a_tensor_is_where_the_index_says_and_only_there)
{
    start();
    write_tensors(DIR "/one.safetensors", "ab");
    write_tensors(DIR "/two.safetensors", "bc");
    check_index("{\"a\":\"one.safetensors\",\"d\":\"two.safetensors\"}",
                "has no tensor d");
    check_index("{\"a\":\"one.safetensors\",\"c\":\"two.safetensors\"}",
                "tensor b is in");
    finish();
}

TEST(what_is_no_model_directory)
{
    struct modeldir d;
    struct err e = { 0 };

    start();
    CHECK(modeldir_open(&d, DIR "/none", &e) == ERR_IO);
    check_refused("neither model.safetensors");
    write_text(DIR "/pytorch_model.bin", "x");
    check_refused("convert it to safetensors");
    CHECK(modeldir_open(&d, DIR "/pytorch_model.bin", &e) == ERR_USAGE);
    finish();
}

static int
put_name(void *ctx, const struct safetensor *t, struct out *out,
         struct err *e)
{
    *(size_t *)ctx += 1;
    return out_write(out, t->name, t->bytes, e);
}

TEST(a_directory_is_written_whole_or_not_at_all)
{
    struct safetensor t[2] = {
        { .name = (char *)"abcd", .dtype = DTYPE_U8, .n_dims = 1,
          .shape = { 4 } },
        { .name = (char *)"ab", .dtype = DTYPE_U8, .n_dims = 1,
          .shape = { 2 } },
    };
    struct out_dir w;
    struct modeldir d;
    struct err e = { 0 };
    struct buf text;
    size_t calls = 0;
    bool found = false;
    char *temp;

    start();
    CHECK(out_dir_open(&w, DIR, &e) == ERR_EXISTS);
    CHECK(out_dir_open(&w, DIR "/out/", &e) == 0);
    CHECK(out_dir_put(&w, MODELDIR_CONFIG, "{}", 2, &e) == 0);
    CHECK(!path_exists(DIR "/out"));
    CHECK(path_exists(w.temp));
    temp = mem_strdup(w.temp);
    out_dir_release(&w);
    CHECK(!path_exists(temp));
    free(temp);

    CHECK(out_dir_open(&w, DIR "/out", &e) == 0);
    CHECK(out_dir_put(&w, MODELDIR_CONFIG, "{}", 2, &e) == 0);
    CHECK(modeldir_put_weights(&w, t, 2, &(struct modeldir_source){
              put_name, &calls },
              &(struct safetensors_meta){ MODELDIR_KEY, "k1" }, 1, &e)
          == 0);
    CHECK(out_dir_commit(&w, &e) == 0);
    out_dir_release(&w);
    CHECK_EQ_U64(calls, 2);
    CHECK(modeldir_has_key(DIR "/out", "k1"));
    CHECK(!modeldir_has_key(DIR "/out", "k2"));
    CHECK(!modeldir_has_key(DIR, "k1"));

    CHECK(modeldir_open(&d, DIR "/out", &e) == 0);
    CHECK_EQ_U64(d.n, 2);
    CHECK(memcmp(safetensors_data(d.item[1].file, d.item[1].t), "abcd", 4)
          == 0);
    modeldir_release(&d);
    buf_init(&text);
    CHECK(modeldir_asset(DIR "/out", MODELDIR_CONFIG, &text, &found, &e)
          == 0 && found);
    CHECK_STR(text.data, "{}");
    CHECK(modeldir_asset(DIR "/out", "merges.txt", &text, &found, &e) == 0
          && !found);
    buf_release(&text);
    finish();
}

static const struct test tests[] = {
    RUN(a_single_file),
    RUN(several_files_with_an_index),
    RUN(row_40_names_that_leave_the_directory),
    RUN(row_40_every_missing_file_is_listed_once),
    RUN(a_tensor_is_where_the_index_says_and_only_there),
    RUN(what_is_no_model_directory),
    RUN(a_directory_is_written_whole_or_not_at_all),
};

TEST_MAIN("modeldir", tests)
