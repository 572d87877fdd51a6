/* arch.c - a pass over a tokenizer.json for its ids, and an architecture
 * completed key by key. */
#include "weights/arch.h"

#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "model/family.h"
#include "tensor/dtype.h"

#define END_TOKEN "<|endoftext|>"
#define MAX_ID ((uint64_t)INT32_MAX)

/* Reading ids */

static int
read_id(struct vocab *v, const struct buf *token, struct json *j,
        struct err *e)
{
    uint64_t id;
    int rc;

    rc = json_u64(j, &id, e);
    if (rc < 0)
        return rc;
    if (id > MAX_ID)
        return json_error(j, e, "token id %llu is too large",
                          (unsigned long long)id);
    if (id >= v->size)
        v->size = id + 1;
    if (strcmp(token->data, END_TOKEN) == 0)
        v->end = id;
    return 0;
}

/* The object "model": its "vocab" is token -> id. */
static int
read_model(struct vocab *v, struct json *j, struct err *e)
{
    struct buf key, token;
    int rc;

    buf_init(&key);
    buf_init(&token);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (strcmp(key.data, "vocab") != 0) {
            json_skip(j);
            continue;
        }
        rc = json_enter_object(j, e);
        while (rc == 0 && json_next_key(j, &token))
            rc = read_id(v, &token, j, e);
    }
    buf_release(&key);
    buf_release(&token);
    return rc;
}

/* One of "added_tokens": {"id", "content", ...}. */
static int
read_added(struct vocab *v, struct json *j, struct err *e)
{
    struct json id = *j;
    bool has_id = false;
    struct buf key, token;
    int rc;

    buf_init(&key);
    buf_init(&token);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &key)) {
        if (strcmp(key.data, "content") == 0) {
            rc = json_string(j, &token, e);
            continue;
        }
        if (strcmp(key.data, "id") == 0) {
            id = *j;
            has_id = true;
        }
        json_skip(j);
    }
    if (rc == 0 && !has_id)
        rc = json_error(j, e, "an added token without id");
    if (rc == 0)
        rc = read_id(v, &token, &id, e);
    buf_release(&key);
    buf_release(&token);
    return rc;
}

int
vocab_read(struct vocab *v, const char *text, size_t n, const char *where,
           struct err *e)
{
    struct vocab found = { 0, UINT64_MAX };
    struct buf key;
    struct json j;
    int rc;

    rc = json_check(text, n, where, e);
    if (rc < 0)
        return rc;
    buf_init(&key);
    j = json_on(text, n, where);
    rc = json_enter_object(&j, e);
    while (rc == 0 && json_next_key(&j, &key)) {
        if (strcmp(key.data, "model") == 0) {
            rc = read_model(&found, &j, e);
        } else if (strcmp(key.data, "added_tokens") == 0) {
            rc = json_enter_array(&j, e);
            while (rc == 0 && json_next_item(&j))
                rc = read_added(&found, &j, e);
        } else {
            json_skip(&j);
        }
    }
    if (rc == 0 && found.size == 0)
        rc = err_set(e, ERR_DATA, "%s: holds no vocabulary", where);
    if (rc == 0)
        *v = found;
    buf_release(&key);
    return rc;
}

/* Keys */

/* The family's key that is closest to this one. */
static struct nearest
find_key(const struct family *f, const char *key)
{
    struct nearest x = nearest_to(key, strlen(key), NEAREST_FAR);

    for (const struct key *k = f->keys; k->name != NULL; k++)
        nearest_offer(&x, k->name);
    for (const struct key *k = common_keys; k->name != NULL; k++)
        nearest_offer(&x, k->name);
    return x;
}

static int
check_keys(const cJSON *root, const struct family *f, const char *where,
           struct err *e)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, root) {
        struct nearest x = find_key(f, v->string);

        if (x.edits > 0)
            return err_set(e, ERR_DATA, "%s: %s models have no key \"%s\" "
                           "(the nearest is \"%s\")", where, f->model_type,
                           v->string, x.name);
    }
    return 0;
}

/* Completing */

static const cJSON *
key_of(const cJSON *root, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, key);

    return cJSON_IsNull(v) ? NULL : v;
}

static int
fill_dtype(cJSON *root, unsigned *dtype, const char *where, struct err *e)
{
    static const struct {
        const char *name;
        unsigned dtype;
    } types[] = {
        { "float32", DTYPE_F32 }, { "bfloat16", DTYPE_BF16 },
        { "float16", DTYPE_F16 },
    };
    const cJSON *v = key_of(root, "dtype");
    size_t i;

    if (v == NULL)
        v = key_of(root, "torch_dtype");
    if (v == NULL)
        v = cJSON_AddStringToObject(root, "torch_dtype", "float32");
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (cJSON_IsString(v) && strcmp(v->valuestring, types[i].name) == 0) {
            *dtype = types[i].dtype;
            return 0;
        }
    return err_set(e, ERR_DATA, "%s: dtype (expected float32, bfloat16 or "
                   "float16)", where);
}

static int
fill_vocab(cJSON *root, const struct vocab *v, const char *where,
           struct err *e)
{
    const cJSON *size = key_of(root, "vocab_size");

    if (v == NULL)
        return 0;
    if (size == NULL) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "vocab_size");
        cJSON_AddNumberToObject(root, "vocab_size", (double)v->size);
        return 0;
    }
    if (!cJSON_IsNumber(size) || size->valuedouble < (double)v->size)
        return err_set(e, ERR_DATA, "%s: vocab_size is %g, the tokenizer "
                       "needs %llu", where, size->valuedouble,
                       (unsigned long long)v->size);
    return 0;
}

/* Without the key transformers would take the ids of the class's own
 * tokenizer. */
static void
fill_ends(cJSON *root, const struct vocab *v)
{
    static const char *const keys[] = { "bos_token_id", "eos_token_id" };
    size_t i;

    for (i = 0; i < 2; i++) {
        if (cJSON_HasObjectItem(root, keys[i]))
            continue;
        if (v && v->end != UINT64_MAX)
            cJSON_AddNumberToObject(root, keys[i], (double)v->end);
        else
            cJSON_AddNullToObject(root, keys[i]);
    }
}

static int
complete(cJSON *root, unsigned *dtype, const struct vocab *v,
         const char *where, struct err *e)
{
    const cJSON *type = key_of(root, "model_type");
    const struct family *f;
    int rc;

    if (!cJSON_IsObject(root) || !cJSON_IsString(type))
        return err_set(e, ERR_DATA, "%s: has no model_type", where);
    rc = family_find(&f, type->valuestring, e);
    if (rc < 0)
        return err_prefix(e, "%s", where);
    rc = check_keys(root, f, where, e);
    if (rc == 0)
        rc = fill_dtype(root, dtype, where, e);
    if (rc == 0)
        rc = fill_vocab(root, v, where, e);
    if (rc < 0)
        return rc;
    fill_ends(root, v);
    if (!key_of(root, "architectures")) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "architectures");
        cJSON_AddItemToObject(root, "architectures",
                              cJSON_CreateStringArray(&f->architecture, 1));
    }
    return 0;
}

int
arch_config(struct buf *config, unsigned *dtype, const char *text, size_t n,
            const struct vocab *v, const char *where, struct err *e)
{
    cJSON *root;
    char *printed;
    int rc;

    rc = json_user(&root, text, n, where, e);
    if (rc < 0)
        return rc;
    rc = complete(root, dtype, v, where, e);
    if (rc == 0) {
        printed = cJSON_Print(root);
        buf_addstr(config, printed);
        buf_addc(config, '\n');
        cJSON_free(printed);
    }
    cJSON_Delete(root);
    return rc;
}
