/* run_keys.c - the key of a run, and those that it had when it was shorter. */
#include "train/run_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"

#define CONFIG "config.json"
#define MAX_JSON (16 << 20)

/* The id of the text between the braces of the identity. */
static int
read_key(struct id *key, const char *run, struct err *e)
{
    char *path = path_join(run, CONFIG);
    struct buf text, name;
    struct json j;
    const char *at;
    int rc;

    buf_init(&text);
    buf_init(&name);
    rc = path_exists(path) ? file_read_regular(&text, path, MAX_JSON, e)
                           : err_set(e, ERR_DATA, "%s: is missing", path);
    if (rc == 0)
        rc = json_check(text.data, text.len, path, e);
    if (rc < 0)
        goto out;
    j = json_on(text.data, text.len, path);
    rc = json_enter_object(&j, e);
    if (rc < 0)
        goto out;
    if (!json_next_key(&j, &name) || strcmp(name.data, "identity") != 0
        || json_kind(&j) != JSON_OBJECT) {
        rc = err_set(e, ERR_DATA, "%s: does not begin with the identity of a "
                     "run", path);
        goto out;
    }
    at = j.p + 1;
    json_skip(&j);
    *key = id_of(at, (size_t)(j.p - 1 - at));
out:
    buf_release(&text);
    buf_release(&name);
    free(path);
    return rc;
}

static int
read_before(struct run_keys *k, const char *run, struct err *e)
{
    char *path = path_join(run, CONFIG);
    const cJSON *list, *v;
    cJSON *root = NULL;
    int rc = json_user_file(&root, path, MAX_JSON, e);

    list = cJSON_GetObjectItemCaseSensitive(root, "extends");
    cJSON_ArrayForEach(v, list) {
        struct id id;

        if (!cJSON_IsString(v)
            || !id_parse(&id, v->valuestring, strlen(v->valuestring))) {
            rc = err_set(e, ERR_DATA, "%s: extends: no id", path);
            break;
        }
        run_keys_add(k, &id);
    }
    cJSON_Delete(root);
    free(path);
    return rc;
}

int
run_keys_read(struct run_keys *k, const char *run, struct err *e)
{
    int rc;

    memset(k, 0, sizeof(*k));
    rc = read_key(&k->now, run, e);
    if (rc == 0)
        rc = read_before(k, run, e);
    if (rc < 0)
        run_keys_release(k);
    return rc;
}

void
run_keys_put(const struct run_keys *k, struct buf *b)
{
    char hex[ID_HEX + 1];

    for (size_t i = 0; i < k->n_before; i++)
        buf_addf(b, "%s\"%s\"", i ? ", " : ",\n \"extends\": [",
                 id_hex(&k->before[i], hex));
    buf_addstr(b, k->n_before > 0 ? "]" : "");
}

void
run_keys_add(struct run_keys *k, const struct id *before)
{
    k->before = mem_grow(k->before, (k->n_before + 1) * sizeof(*before));
    k->before[k->n_before++] = *before;
}

bool
run_keys_has(const struct run_keys *k, const struct id *key)
{
    bool has = id_equal(&k->now, key);

    for (size_t i = 0; i < k->n_before; i++)
        has = has || id_equal(&k->before[i], key);
    return has;
}

void
run_keys_release(struct run_keys *k)
{
    free(k->before);
    memset(k, 0, sizeof(*k));
}
