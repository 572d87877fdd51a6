/* modeldir.c - a model directory opened: its files found and held against the
 * index, their tensors in one list, its assets read. */
#include "tensor/modeldir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_INDEX (64 << 20)
#define MAX_FILES 10000

static const char *const assets[] = {
    MODELDIR_CONFIG, "generation_config.json", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja",
};

const char *
modeldir_asset_name(size_t i)
{
    return i < sizeof(assets) / sizeof(assets[0]) ? assets[i] : NULL;
}

int
modeldir_asset(const char *path, const char *name, struct buf *text,
               bool *found, struct err *e)
{
    char *full = path_join(path, name);
    int rc = 0;

    *found = path_exists(full);
    if (*found)
        rc = file_read_regular(text, full, MODELDIR_MAX_ASSET, e);
    free(full);
    return rc;
}

/* The index */

struct index {
    struct map file;   /* file name -> its number */
    struct map tensor; /* tensor name -> number of its file */
};

/* A plain name: inside the directory, and not hidden. */
static bool
is_plain(const char *name, size_t n)
{
    return n > 0 && n <= 255 && name[0] != '.' && !memchr(name, '/', n)
           && strlen(name) == n;
}

static int
read_weight_map(struct index *x, struct json *j, struct err *e)
{
    struct buf tensor, file;
    int rc;

    buf_init(&tensor);
    buf_init(&file);
    rc = json_enter_object(j, e);
    while (rc == 0 && json_next_key(j, &tensor)) {
        buf_reset(&file);
        rc = json_string(j, &file, e);
        if (rc < 0)
            break;
        if (!is_plain(file.data, file.len)) {
            rc = json_error(j, e, "\"%s\" is not the name of a file in the "
                            "model's directory", file.data);
            break;
        }
        map_put(&x->tensor, tensor.data, tensor.len,
                map_put(&x->file, file.data, file.len, x->file.n,
                        NULL)->value, NULL);
        if (x->file.n > MAX_FILES) {
            rc = json_error(j, e, "more than %d files", MAX_FILES);
            break;
        }
    }
    buf_release(&tensor);
    buf_release(&file);
    return rc;
}

static int
read_index(struct index *x, const char *path, struct err *e)
{
    bool found = false;
    struct buf text, key;
    struct json j;
    int rc;

    buf_init(&text);
    buf_init(&key);
    rc = file_read_regular(&text, path, MAX_INDEX, e);
    if (rc == 0)
        rc = json_check(text.data, text.len, path, e);
    if (rc < 0)
        goto out;
    j = json_on(text.data, text.len, path);
    rc = json_enter_object(&j, e);
    while (rc == 0 && json_next_key(&j, &key)) {
        if (strcmp(key.data, "weight_map") == 0) {
            found = true;
            rc = read_weight_map(x, &j, e);
        } else {
            json_skip(&j);
        }
    }
    if (rc == 0 && !found)
        rc = err_set(e, ERR_DATA, "%s: has no weight_map", path);
out:
    buf_release(&text);
    buf_release(&key);
    return rc;
}

/* One message that names every file of the index that is not there. */
static int
check_files(const struct index *x, const char *dir, struct err *e)
{
    struct buf missing;
    size_t i, n = 0;
    int rc = 0;

    buf_init(&missing);
    for (i = 0; i < x->file.n; i++) {
        char *name = mem_dup(map_key(&x->file, i), x->file.entry[i].len);
        char *full = path_join(dir, name);

        if (!path_exists(full))
            buf_addf(&missing, "%s%s", n++ ? ", " : "", name);
        free(full);
        free(name);
    }
    if (n > 0)
        rc = err_set(e, ERR_DATA, "%s/" MODELDIR_INDEX ": %zu of %zu files "
                     "are missing: %s", dir, n, x->file.n, missing.data);
    buf_release(&missing);
    return rc;
}

/* Every tensor of the index has to be in the file it names. */
static int
check_tensors(const struct modeldir *d, const struct index *x, struct err *e)
{
    size_t i;

    for (i = 0; i < x->tensor.n; i++) {
        const struct safetensors *s = &d->file[x->tensor.entry[i].value];

        if (!map_get(&s->by_name, map_key(&x->tensor, i),
                     x->tensor.entry[i].len))
            return err_set(e, ERR_DATA, "%s: has no tensor %.*s, the index "
                           "says it has", s->path,
                           (int)x->tensor.entry[i].len,
                           map_key(&x->tensor, i));
    }
    return 0;
}

/* Opening */

static int
by_name(const void *a, const void *b)
{
    const struct modeldir_tensor *x = a, *y = b;

    return strcmp(x->t->name, y->t->name);
}

static int
collect(struct modeldir *d, struct err *e)
{
    size_t i, k, n = 0;

    for (i = 0; i < d->n_files; i++)
        n += d->file[i].n;
    d->item = mem_array(n, sizeof(*d->item));
    for (i = 0; i < d->n_files; i++)
        for (k = 0; k < d->file[i].n; k++)
            d->item[d->n++] = (struct modeldir_tensor){
                &d->file[i], &d->file[i].item[k]
            };
    if (n > 0)
        qsort(d->item, n, sizeof(*d->item), by_name);
    for (i = 1; i < n; i++)
        if (strcmp(d->item[i - 1].t->name, d->item[i].t->name) == 0)
            return err_set(e, ERR_DATA, "%s: tensor %s is in %s too",
                           d->item[i].file->path, d->item[i].t->name,
                           d->item[i - 1].file->path);
    return 0;
}

static int
open_files(struct modeldir *d, const struct index *x, struct err *e)
{
    size_t i;
    int rc = 0;

    d->file = mem_array(x->file.n, sizeof(*d->file));
    for (i = 0; i < x->file.n && rc == 0; i++) {
        char *name = mem_dup(map_key(&x->file, i), x->file.entry[i].len);
        char *full = path_join(d->path, name);

        rc = safetensors_open(&d->file[i], full, SAFETENSORS_MAX_HEADER, e);
        if (rc == 0)
            d->n_files++;
        free(full);
        free(name);
    }
    return rc;
}

/* Nothing we read is there: say what is. */
static int
no_weights(const char *path, struct err *e)
{
    char *pickle = path_join(path, "pytorch_model.bin");
    bool found = path_exists(pickle);

    free(pickle);
    if (found)
        return err_set(e, ERR_DATA, "%s: holds pytorch_model.bin, which is "
                       "not read: convert it to safetensors", path);
    return err_set(e, ERR_DATA, "%s: no model directory (neither "
                   MODELDIR_WEIGHTS " nor " MODELDIR_INDEX ")", path);
}

static int
find_files(struct index *x, const char *path, struct err *e)
{
    char *single = path_join(path, MODELDIR_WEIGHTS);
    char *index = path_join(path, MODELDIR_INDEX);
    int rc = 0;

    if (path_exists(single)) {
        map_put(&x->file, MODELDIR_WEIGHTS, strlen(MODELDIR_WEIGHTS), 0,
                NULL);
    } else if (path_exists(index)) {
        rc = read_index(x, index, e);
        if (rc == 0)
            rc = check_files(x, path, e);
    } else {
        rc = no_weights(path, e);
    }
    free(single);
    free(index);
    return rc;
}

int
modeldir_open(struct modeldir *d, const char *path, struct err *e)
{
    struct stat st;
    struct index x;
    int rc;

    memset(d, 0, sizeof(*d));
    if (stat(path, &st) < 0)
        return err_errno(e, ERR_IO, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_USAGE, "%s: not a directory", path);
    map_init(&x.file);
    map_init(&x.tensor);
    d->path = mem_strdup(path);
    rc = find_files(&x, path, e);
    if (rc == 0)
        rc = open_files(d, &x, e);
    if (rc == 0)
        rc = check_tensors(d, &x, e);
    if (rc == 0)
        rc = collect(d, e);
    map_release(&x.file);
    map_release(&x.tensor);
    if (rc < 0)
        modeldir_release(d);
    return rc;
}

void
modeldir_release(struct modeldir *d)
{
    size_t i;

    for (i = 0; i < d->n_files; i++)
        safetensors_release(&d->file[i]);
    free(d->file);
    free(d->item);
    free(d->path);
    memset(d, 0, sizeof(*d));
}
