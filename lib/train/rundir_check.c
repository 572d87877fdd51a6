/* rundir_check.c - the fsck of a run: what it holds against what it says. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "train/checkpoint.h"
#include "train/rundir.h"
#include "train/run_keys.h"

#define CONFIG "config.json"
#define MANIFEST "manifest.json"
#define MAX_JSON (16 << 20)

static int
check_file(const char *run, const cJSON *v, struct err *e)
{
    char *path;
    struct id want, found;
    int rc;

    if (strstr(v->string, "..") != NULL || v->string[0] == '/'
        || !cJSON_IsString(v)
        || !id_parse(&want, v->valuestring, strlen(v->valuestring)))
        return err_set(e, ERR_DATA, "%s/" MANIFEST ": bad entry '%s'", run,
                       v->string);
    path = path_join(run, v->string);
    rc = id_of_file(&found, path, e);
    if (rc == 0 && !id_equal(&want, &found))
        rc = err_set(e, ERR_DATA, "%s: differs from its manifest", path);
    free(path);
    return rc < 0 ? (e->code = ERR_DATA) : 0;
}

/* The last line is the id of all before it. Manifests of runs that were made
 * before there was one lack it. */
static int
check_text(const struct buf *text, const cJSON *root, const char *path,
           struct err *e)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, "check");
    struct id want, found;
    size_t n = text->len;

    if (v == NULL)
        return 0;
    while (n > 1 && text->data[n - 2] != '\n')
        n--;
    found = id_of(text->data, n - 1);
    if (!cJSON_IsString(v)
        || !id_parse(&want, v->valuestring, strlen(v->valuestring))
        || !id_equal(&want, &found))
        return err_set(e, ERR_DATA, "%s: was changed: it does not match its "
                       "check", path);
    return 0;
}

static bool
is_string(const cJSON *root, const char *key, const char *value)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    return cJSON_IsString(v) && strcmp(v->valuestring, value) == 0;
}

/* newest: the step of the newest checkpoint that is still there. */
static int
check_members(const cJSON *root, const char *run, const struct id *key,
              uint64_t newest, struct err *e)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, "key");
    const cJSON *steps = cJSON_GetObjectItemCaseSensitive(root, "steps");
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(root, "files");
    struct id found;
    int rc = 0;

    if (!is_string(root, "type", "run"))
        return err_set(e, ERR_DATA, "%s/" MANIFEST ": not the manifest of a "
                       "run", run);
    if (!cJSON_IsString(v)
        || !id_parse(&found, v->valuestring, strlen(v->valuestring))
        || !id_equal(&found, key))
        return err_set(e, ERR_DATA, "%s/" MANIFEST ": key is not that of the "
                       "identity in " CONFIG, run);
    if (!cJSON_IsNumber(steps)
        || steps->valuedouble < (double)newest)
        return err_set(e, ERR_DATA, "%s/" MANIFEST ": fewer steps than those "
                       "of a checkpoint (expected %llu)", run,
                       (unsigned long long)newest);
    if (cJSON_GetArraySize(files) < 2
        || !cJSON_HasObjectItem(files, CONFIG))
        return err_set(e, ERR_DATA, "%s/" MANIFEST ": names neither " CONFIG
                       " nor what was trained", run);
    cJSON_ArrayForEach(v, files) {
        if (rc == 0)
            rc = check_file(run, v, e);
    }
    return rc;
}

static int
check_manifest(const char *path, const char *run, const struct id *key,
               uint64_t newest, struct err *e)
{
    cJSON *root = NULL;
    struct buf text;
    int rc;

    buf_init(&text);
    rc = file_read_regular(&text, path, MAX_JSON, e);
    if (rc == 0)
        rc = json_user(&root, text.data, text.len, path, e);
    if (rc == 0)
        rc = check_text(&text, root, path, e);
    if (rc == 0)
        rc = check_members(root, run, key, newest, e);
    cJSON_Delete(root);
    buf_release(&text);
    return rc;
}

int
rundir_verify(struct run_report *r, const char *path, struct err *e)
{
    char *manifest = path_join(path, MANIFEST);
    struct run_report found = { .complete = dir_has(path, MANIFEST) };
    struct run_keys keys = { .n_before = 0 };
    int rc = 0;

    /* An adapter alone has nothing to be compared with. */
    if (found.complete || dir_has(path, CONFIG)
        || dir_has(path, "checkpoints"))
        rc = run_keys_read(&keys, path, e);
    if (rc == 0)
        rc = checkpoints_verify(path, &keys, &found.checkpoints, &found.step,
                                e);
    if (rc == 0 && found.complete)
        rc = check_manifest(manifest, path, &keys.now, found.step, e);
    else if (rc == 0)
        found.holder = dir_holder(path);
    free(manifest);
    run_keys_release(&keys);
    if (rc == 0)
        *r = found;
    return rc;
}

/* base_id of the identity; a model's config.json, say, has none. */
static int
read_base(struct id *base, bool *found, const char *path, struct err *e)
{
    const cJSON *v;
    cJSON *root = NULL;
    int rc = json_user_file(&root, path, MAX_JSON, e);

    if (rc < 0)
        return rc;
    v = cJSON_GetObjectItemCaseSensitive(root, "identity");
    v = cJSON_GetObjectItemCaseSensitive(v, "base_id");
    *found = cJSON_IsString(v)
             && id_parse(base, v->valuestring, strlen(v->valuestring));
    if (v != NULL && !*found)
        rc = err_set(e, ERR_DATA, "%s: base_id is no id", path);
    cJSON_Delete(root);
    return rc;
}

int
rundir_base(struct id *base, bool *found, const char *adapter, struct err *e)
{
    char *real = realpath(adapter, NULL), *run, *path;
    int rc = 0;

    *found = false;
    if (real == NULL)
        return err_errno(e, ERR_IO, "%s", adapter);
    run = path_parent(real);
    path = path_join(run, CONFIG);
    if (path_exists(path))
        rc = read_base(base, found, path, e);
    free(path);
    free(run);
    free(real);
    return rc;
}

int
rundir_incomplete(const struct run_report *r, const char *path, struct err *e)
{
    struct buf b;

    buf_init(&b);
    if (r->holder > 0)
        buf_addf(&b, "process %ld is at it, ", r->holder);
    else if (r->holder < 0)
        buf_addstr(&b, "a process is at it, ");
    if (r->checkpoints > 0)
        buf_addf(&b, "its checkpoints are good (%zu, the newest after step %"
                 PRIu64 ")", r->checkpoints, r->step);
    else
        buf_addstr(&b, "it has no checkpoint yet");
    if (r->holder == 0)
        buf_addstr(&b, "; train --resume goes on with it");
    err_set(e, ERR_DATA, "%s: a run that is not complete: %s", path, b.data);
    buf_release(&b);
    return ERR_DATA;
}
