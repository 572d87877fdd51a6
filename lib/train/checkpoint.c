/* checkpoint.c - a directory made beside its name, verified before it is
 * read; reading goes from the newest to the oldest that is whole. */
#include "train/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/replace.h"
#include "tensor/safetensors.h"
#include "train/state.h"

#define STATE_TENSORS "state.safetensors"
#define STATE_JSON "state.json"
#define MANIFEST "manifest.json"
#define MAX_JSON (1 << 20)
#define PIECE (1 << 16) /* floats that are read at one time */

static const char *const checked_files[] = { STATE_JSON, STATE_TENSORS };

/* The flat vectors of a program by name; absent ones have buf 0. */
#define N_VECTORS 7
struct vector {
    const char *name;
    const struct view *view;
};

static void
vectors_of(const struct prog *p, struct vector out[N_VECTORS])
{
    out[0] = (struct vector){ "params", &p->params };
    out[1] = (struct vector){ "m", &p->m };
    out[2] = (struct vector){ "v", &p->v };
    out[3] = (struct vector){ "m8", &p->m8 };
    out[4] = (struct vector){ "v8", &p->v8 };
    out[5] = (struct vector){ "m_scale", &p->m_scale };
    out[6] = (struct vector){ "v_scale", &p->v_scale };
}

static uint8_t
dtype_of(const struct view *v)
{
    return v->dtype == DTYPE_U8 ? DTYPE_U8 : DTYPE_F32;
}

uint64_t
checkpoint_bytes(const struct prog *p)
{
    struct vector vector[N_VECTORS];
    uint64_t bytes = 0;

    vectors_of(p, vector);
    for (size_t i = 0; i < N_VECTORS; i++)
        if (vector[i].view->buf != 0)
            bytes += vector[i].view->cols * dtype_size(dtype_of(
                vector[i].view));
    return bytes;
}

static int
write_tensors(const char *path, const struct exec *x, struct err *e)
{
    const struct prog *p = x->prog;
    struct vector vector[N_VECTORS];
    struct safetensor item[N_VECTORS];
    struct out out;
    size_t n = 0;
    int rc;

    vectors_of(p, vector);
    memset(item, 0, sizeof(item));
    for (size_t i = 0; i < N_VECTORS; i++) {
        if (vector[i].view->buf == 0)
            continue;
        item[n].name = (char *)vector[i].name;
        item[n].dtype = dtype_of(vector[i].view);
        item[n].n_dims = 1;
        item[n++].shape[0] = vector[i].view->cols;
    }
    rc = out_open(&out, path, e);
    if (rc < 0)
        return rc;
    rc = safetensors_start(&out, item, n, NULL, 0, e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        for (size_t j = 0; j < N_VECTORS && rc == 0; j++) {
            if (strcmp(vector[j].name, item[i].name) == 0)
                rc = exec_write(x, vector[j].view, &out, e);
        }
    }
    if (rc == 0)
        rc = out_commit(&out, e);
    out_release(&out);
    return rc;
}

static int
write_manifest(const char *dir, struct err *e)
{
    char *path = path_join(dir, MANIFEST), hex[ID_HEX + 1];
    struct buf b;
    int rc = 0;

    buf_init(&b);
    buf_addstr(&b, "{");
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        char *file = path_join(dir, checked_files[i]);
        struct id id;

        rc = id_of_file(&id, file, e);
        if (rc == 0)
            buf_addf(&b, "%s\"%s\": \"%s\"", i ? ", " : "",
                     checked_files[i], id_hex(&id, hex));
        free(file);
    }
    buf_addstr(&b, "}\n");
    if (rc == 0)
        rc = file_write(path, b.data, b.len, e);
    buf_release(&b);
    free(path);
    return rc;
}

static int
write_files(const char *dir, const struct train_state *s,
            const struct exec *x, const struct id *key, struct err *e)
{
    char *tensors = path_join(dir, STATE_TENSORS);
    char *json = path_join(dir, STATE_JSON);
    int rc = dir_make(dir, e);

    if (rc == 0)
        rc = write_tensors(tensors, x, e);
    if (rc == 0)
        rc = state_write(json, s, key, e);
    if (rc == 0)
        rc = write_manifest(dir, e);
    if (rc == 0)
        rc = dir_sync(dir, e);
    free(tensors);
    free(json);
    return rc;
}

/* Step of a checkpoint's directory name; false for anything else. */
static bool
step_of(const char *name, uint64_t *step)
{
    int end = 0;

    return sscanf(name, "step-%" SCNu64 "%n", step, &end) == 1
           && name[end] == '\0';
}

static int
by_step(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The steps there are, ascending. A missing directory has none. */
static int
list_steps(const char *dir, uint64_t **steps, size_t *n, struct err *e)
{
    char **names = NULL;
    size_t n_names = 0;
    int rc;

    *steps = NULL;
    *n = 0;
    if (!path_exists(dir))
        return 0;
    rc = dir_list(&names, &n_names, dir, e);
    if (rc < 0)
        return rc;
    *steps = mem_array(n_names + 1, sizeof(**steps));
    for (size_t i = 0; i < n_names; i++)
        *n += step_of(names[i], &(*steps)[*n]);
    qsort(*steps, *n, sizeof(**steps), by_step);
    dir_list_free(names, n_names);
    return 0;
}

static char *
step_path(const char *dir, uint64_t step)
{
    char name[32];

    snprintf(name, sizeof(name), "step-%" PRIu64, step);
    return path_join(dir, name);
}

/* By way of another name, so that none is ever half there. */
static int
remove_one(const char *dir, const char *old, struct err *e)
{
    char *trash = path_join(dir, ".trash");
    int rc = path_remove(trash, e);

    if (rc == 0 && rename(old, trash) != 0)
        rc = err_errno(e, ERR_IO, "%s: rename", old);
    if (rc == 0)
        rc = path_remove(trash, e);
    free(trash);
    return rc;
}

static int
remove_old(const char *dir, const struct checkpoint_keep *keep,
           struct err *e)
{
    size_t newest = keep->newest < 1 ? 1 : keep->newest, n;
    uint64_t *steps;
    int rc = list_steps(dir, &steps, &n, e);

    for (size_t i = 0; i + newest < n && rc == 0; i++) {
        char *old = step_path(dir, steps[i]);

        if (steps[i] != keep->step)
            rc = remove_one(dir, old, e);
        free(old);
    }
    free(steps);
    return rc;
}

int
checkpoint_write(const char *run, const struct train_state *s,
                 const struct exec *x, const struct id *key,
                 const struct checkpoint_keep *keep, struct err *e)
{
    char *dir = path_join(run, "checkpoints");
    char *final = step_path(dir, s->step);
    struct buf temp;
    int rc;

    buf_init(&temp);
    buf_addf(&temp, "%s.tmp.%ld", final, (long)getpid());
    rc = dir_make(dir, e);
    if (rc < 0)
        goto out;
    io_temp_add(temp.data);
    rc = write_files(temp.data, s, x, key, e);
    if (rc == 0)
        rc = path_replace(final, temp.data, e);
    if (rc < 0) {
        struct err ignored;

        path_remove(temp.data, &ignored);
    }
    io_temp_drop(temp.data);
    if (rc == 0)
        rc = dir_sync(dir, e);
    if (rc == 0)
        rc = remove_old(dir, keep, e);
out:
    buf_release(&temp);
    free(final);
    free(dir);
    return rc;
}

/* The files of a checkpoint against its manifest. */
static int
verify_files(const char *dir, struct err *e)
{
    char *path = path_join(dir, MANIFEST);
    cJSON *root = NULL;
    int rc = json_user_file(&root, path, MAX_JSON, e);

    for (size_t i = 0; i < 2 && rc == 0; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root,
                                                          checked_files[i]);
        char *file = path_join(dir, checked_files[i]);
        struct id want, found;

        if (!cJSON_IsString(v)
            || !id_parse(&want, v->valuestring, strlen(v->valuestring)))
            rc = err_set(e, ERR_DATA, "%s: no id of %s", path,
                         checked_files[i]);
        else
            rc = id_of_file(&found, file, e);
        if (rc == 0 && !id_equal(&want, &found))
            rc = err_set(e, ERR_DATA,
                         "%s: does not match its manifest", file);
        free(file);
    }
    cJSON_Delete(root);
    free(path);
    return rc;
}

/* The next so many bytes, for v; without v they are passed over. A mapping of
 * them all would be memory that no plan has. */
static int
read_vector(struct in *in, const struct view *v, uint64_t bytes,
            struct exec *x, struct err *e)
{
    uint64_t size = v == NULL ? 1 : dtype_size(dtype_of(v)), n = bytes / size;
    float *piece = mem_array(PIECE, sizeof(*piece));
    int rc = 0;

    for (uint64_t at = 0, k; at < n && rc == 0; at += k) {
        size_t got;

        k = n - at < PIECE ? n - at : PIECE;
        rc = in_read(in, piece, k * size, &got, e);
        if (rc == 0 && got < k * size)
            rc = err_set(e, ERR_DATA, "%s: ends early", in->name);
        if (rc == 0 && v != NULL) {
            struct view part = view_part(*v, at, k);

            rc = exec_put(x, &part, piece, e);
        }
    }
    free(piece);
    return rc;
}

/* Whether s has the first n vectors, as they are here. */
static int
check_vectors(const struct safetensors *s, const struct vector *vector,
              size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct safetensor *t = safetensors_find(s, vector[i].name);
        const struct view *v = vector[i].view;

        if (v->buf != 0
            && (t == NULL || t->dtype != dtype_of(v) || t->n_dims != 1
                || t->shape[0] != v->cols))
            return err_set(e, ERR_DATA, "%s: no %s of %u elements", s->path,
                           vector[i].name, v->cols);
    }
    return 0;
}

/* The first n vectors. */
static int
read_tensors(const char *path, size_t n, struct exec *x, struct err *e)
{
    const struct prog *p = x->prog;
    struct vector vector[N_VECTORS];
    struct safetensors s;
    struct in in;
    int rc = in_open_regular(&in, path, e);

    if (rc < 0)
        return rc;
    rc = safetensors_read_head(&s, &in, MAX_JSON, e);
    if (rc < 0)
        goto out;
    vectors_of(p, vector);
    rc = check_vectors(&s, vector, n, e);
    for (size_t i = 0; i < s.n && rc == 0; i++) {
        const struct view *v = NULL;

        for (size_t j = 0; j < n; j++)
            if (vector[j].view->buf != 0
                && strcmp(vector[j].name, s.item[i].name) == 0)
                v = vector[j].view;
        rc = read_vector(&in, v, s.item[i].bytes, x, e);
    }
    safetensors_release(&s);
out:
    in_release(&in);
    return rc;
}

/* One checkpoint that has been verified. */
static int
read_files(const char *dir, struct train_state *s, struct exec *x,
           const struct run_keys *keys, struct err *e)
{
    char *json = path_join(dir, STATE_JSON);
    char *tensors = path_join(dir, STATE_TENSORS);
    struct id found;
    int rc = state_read(json, s, &found, e);

    if (rc == 0 && !run_keys_has(keys, &found))
        rc = err_set(e, ERR_DATA, "%s: made with another base, data set or "
                     "options", dir);
    if (rc == 0 && !id_equal(&keys->now, &found))
        s->val.over = s->val.worse = 0;
    if (rc == 0)
        rc = read_tensors(tensors, N_VECTORS, x, e);
    free(json);
    free(tensors);
    return rc;
}

int
checkpoint_read(const char *run, struct train_state *s, struct exec *x,
                const struct run_keys *keys, struct err *e)
{
    char *dir = path_join(run, "checkpoints"), *path = NULL;
    uint64_t *steps;
    size_t n;
    int rc = list_steps(dir, &steps, &n, e);

    for (size_t i = n; i-- > 0 && rc == 0;) {
        free(path);
        path = step_path(dir, steps[i]);
        if (verify_files(path, e) < 0) {
            log_warn("%s: passed over, it is damaged", e->text);
            continue;
        }
        rc = read_files(path, s, x, keys, e);
        if (rc == 0)
            rc = 1;
    }
    if (rc == 0 && n > 0)
        rc = err_set(e, ERR_DATA, "%s: no good checkpoint among %zu", dir,
                     n);
    free(path);
    free(steps);
    free(dir);
    return rc;
}

int
checkpoint_params(const char *run, uint64_t step, struct exec *x,
                  struct err *e)
{
    char *dir = path_join(run, "checkpoints"), *path = step_path(dir, step);
    char *tensors = path_join(path, STATE_TENSORS);
    int rc = verify_files(path, e);

    if (rc == 0)
        rc = read_tensors(tensors, 1, x, e);
    free(tensors);
    free(path);
    free(dir);
    return rc;
}

/* The checkpoint after that step. */
static int
verify_one(const char *dir, uint64_t step, const struct run_keys *keys,
           struct err *e)
{
    char *json = path_join(dir, STATE_JSON);
    struct train_state s = { 0 };
    struct id found;
    int rc = verify_files(dir, e);

    if (rc == 0)
        rc = state_read(json, &s, &found, e);
    if (rc == 0 && !run_keys_has(keys, &found))
        rc = err_set(e, ERR_DATA, "%s: key is not that of the run's identity",
                     json);
    if (rc == 0 && s.step != step)
        rc = err_set(e, ERR_DATA, "%s: step (found %" PRIu64 ", expected %"
                     PRIu64 ")", json, s.step, step);
    free(json);
    return rc;
}

int
checkpoints_verify(const char *run, const struct run_keys *keys, size_t *n,
                   uint64_t *step, struct err *e)
{
    char *dir = path_join(run, "checkpoints");
    uint64_t *steps;
    size_t found;
    int rc = list_steps(dir, &steps, &found, e);

    *n = 0;
    *step = 0;
    for (size_t i = 0; i < found && rc == 0; i++) {
        char *path = step_path(dir, steps[i]);

        rc = verify_one(path, steps[i], keys, e);
        if (rc == 0) {
            *step = steps[i];
            ++*n;
        } else if (!path_exists(path)) {
            rc = 0;
        }
        free(path);
    }
    free(steps);
    free(dir);
    return rc;
}
