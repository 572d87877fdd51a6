/* rundir.c - the manifest that completes a run: every file of the result by
 * its id, or no manifest at all. */
#include "train/rundir.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "test.h"

#define DIR "rundir-test.tmp"

static struct rundir run = { .path = (char *)DIR };

static void
write_text(const char *name, const char *text)
{
    char *path = path_join(DIR, name), *dir = path_parent(path);
    struct err e;

    CHECK(dir_make(dir, &e) == 0);
    CHECK(file_write(path, text, strlen(text), &e) == 0);
    free(dir);
    free(path);
}

static void
start_anew(void)
{
    struct err e;

    CHECK(path_remove(DIR, &e) == 0);
    write_text("config.json", "{\"x\": 1}\n");
}

static int
complete(uint8_t method)
{
    struct trainer t = { .state = { .step = 7, .skipped = 2 } };
    struct err e;

    t.opts.prog.method = method;
    return rundir_complete(&run, &t, &e);
}

/* The manifest's member "files" names that text by its id. */
static void
check_file(const cJSON *files, const char *name, const char *text)
{
    struct id id = id_of(text, strlen(text));
    char hex[ID_HEX + 1];

    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(files, name)),
              id_hex(&id, hex));
}

static cJSON *
read_manifest(void)
{
    cJSON *root = NULL;
    struct err e;

    CHECK(json_user_file(&root, DIR "/manifest.json", 1 << 20, &e) == 0);
    return root;
}

TEST(a_complete_run_names_every_file_of_its_result)
{
    const cJSON *files;
    cJSON *root;
    struct err e;

    start_anew();
    write_text("adapter/adapter_config.json", "{}");
    write_text("adapter/adapter_model.safetensors", "weights");
    write_text("adapter/z", "");
    write_text("model/config.json", "of another method");
    CHECK(complete(METHOD_LORA) == 0);
    root = read_manifest();
    CHECK(cJSON_GetObjectItem(root, "steps")->valuedouble == 7);
    CHECK(cJSON_GetObjectItem(root, "skipped")->valuedouble == 2);
    files = cJSON_GetObjectItem(root, "files");
    CHECK_EQ_U64(cJSON_GetArraySize(files), 4);
    check_file(files, "config.json", "{\"x\": 1}\n");
    check_file(files, "adapter/adapter_config.json", "{}");
    check_file(files, "adapter/adapter_model.safetensors", "weights");
    check_file(files, "adapter/z", "");
    cJSON_Delete(root);

    CHECK(complete(METHOD_FULL) == 0);
    root = read_manifest();
    files = cJSON_GetObjectItem(root, "files");
    CHECK_EQ_U64(cJSON_GetArraySize(files), 2);
    check_file(files, "model/config.json", "of another method");
    cJSON_Delete(root);
    CHECK(path_remove(DIR, &e) == 0);
}

/* A file that can't be read is not passed over, whatever comes after it. */
TEST(a_result_that_can_not_be_read_completes_no_run)
{
    struct err e;

    start_anew();
    CHECK(complete(METHOD_LORA) < 0);
    write_text("adapter/a/b", "a directory");
    write_text("adapter/c", "a file");
    CHECK(complete(METHOD_LORA) < 0);
    CHECK(path_remove(DIR "/adapter/a", &e) == 0);
    CHECK(path_remove(DIR "/config.json", &e) == 0);
    CHECK(complete(METHOD_LORA) == ERR_IO);
    CHECK(!path_exists(DIR "/manifest.json"));
    CHECK(path_remove(DIR, &e) == 0);
}

static const struct test tests[] = {
    RUN(a_complete_run_names_every_file_of_its_result),
    RUN(a_result_that_can_not_be_read_completes_no_run),
};

TEST_MAIN("rundir", tests)
