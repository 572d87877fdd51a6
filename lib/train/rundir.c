/* rundir.c - whether a directory is this run's, by the identity in its
 * config.json; and what is written into it, the manifest last. */
#include "train/rundir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/replace.h"
#include "tensor/modeldir.h"
#include "train/checkpoint.h"
#include "train/run_compare.h"
#include "train/run_keys.h"
#include "weights/init.h"
#include "weights/lora.h"

#define CONFIG "config.json"
#define MANIFEST "manifest.json"
#define METRICS "metrics.jsonl"
#define MAX_JSON (16 << 20)

/* The text of config.json, which the caller releases. */
static void
make_config(struct buf *b, const struct rundir *r, const char *identity,
            const char *rest)
{
    buf_init(b);
    buf_addf(b, "{\"identity\": {%s},\n %s", identity, rest);
    run_keys_put(&r->keys, b);
    buf_addstr(b, "}\n");
}

static int
write_config(const struct rundir *r, const struct buf *config, struct err *e)
{
    char *path = path_join(r->path, CONFIG);
    int rc = file_write(path, config->data, config->len, e);

    free(path);
    return rc;
}

static int
write_new(const struct rundir *r, const char *identity, const char *rest,
          struct err *e)
{
    struct buf config;
    int rc;

    make_config(&config, r, identity, rest);
    rc = write_config(r, &config, e);
    buf_release(&config);
    return rc;
}

static bool
has_file(const struct rundir *r, const char *name)
{
    char *path = path_join(r->path, name);
    bool there = path_exists(path);

    free(path);
    return there;
}

/* A directory that holds other people's things is not ours to fill; what a
 * killed run left half written is. */
static int
check_foreign(const struct rundir *r, struct err *e)
{
    char **names;
    size_t n;
    int rc = dir_list(&names, &n, r->path, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (strcmp(names[i], ".lock") != 0
            && strcmp(names[i], METRICS) != 0
            && strstr(names[i], ".tmp.") == NULL)
            rc = err_set(e, ERR_EXISTS, "%s: exists and is no run (it holds "
                         "%s)", r->path, names[i]);
    }
    dir_list_free(names, n);
    return rc;
}

/* Removes what a killed process left half written in a directory of the
 * run (NULL: the run itself). */
static int
remove_temps(const struct rundir *r, const char *dir, struct err *e)
{
    char *path = dir ? path_join(r->path, dir) : mem_strdup(r->path);
    char **names = NULL;
    size_t n = 0;
    int rc = path_exists(path) ? dir_list(&names, &n, path, e) : 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        if (strstr(names[i], ".tmp.") != NULL) {
            char *temp = path_join(path, names[i]);

            rc = path_remove(temp, e);
            free(temp);
        }
    }
    dir_list_free(names, n);
    free(path);
    return rc;
}

static int
remove_all_temps(const struct rundir *r, struct err *e)
{
    int rc = remove_temps(r, NULL, e);

    if (rc == 0)
        rc = remove_temps(r, "adapter", e);
    return rc < 0 ? rc : remove_temps(r, "checkpoints", e);
}

/* A directory is a run's by its config.json, or holds nothing yet: that of
 * a model has a config.json, too. */
static int
check_ours(const struct rundir *r, struct err *e)
{
    char *path;
    cJSON *config = NULL;
    int rc;

    if (!has_file(r, CONFIG))
        return check_foreign(r, e);
    path = path_join(r->path, CONFIG);
    rc = json_user_file(&config, path, MAX_JSON, e);
    if (rc == 0 && !cJSON_HasObjectItem(config, "identity"))
        rc = err_set(e, ERR_EXISTS, "%s: exists and is no run's", path);
    cJSON_Delete(config);
    free(path);
    return rc;
}

bool
rundir_begun(const char *path)
{
    struct rundir r = { .path = (char *)path };

    return has_file(&r, CONFIG);
}

/* The keys of the run that is there; where its identity was another, there is
 * a config that says the new one, for rundir_begin. */
static int
take_keys(struct rundir *r, const char *identity, const char *rest,
          struct err *e)
{
    struct id now = r->keys.now;
    int rc = run_keys_read(&r->keys, r->path, e);

    if (rc < 0 || id_equal(&now, &r->keys.now))
        return rc;
    run_keys_add(&r->keys, &r->keys.now);
    r->keys.now = now;
    make_config(&r->config, r, identity, rest);
    return 0;
}

int
rundir_begin(struct rundir *r, struct err *e)
{
    char *manifest;
    int rc;

    if (r->config.len == 0)
        return 0;
    manifest = path_join(r->path, MANIFEST);
    rc = path_remove(manifest, e);
    if (rc == 0)
        rc = write_config(r, &r->config, e);
    if (rc == 0)
        buf_reset(&r->config);
    free(manifest);
    return rc;
}

/* A run has been begun at r->path: whether it is the one that is wanted. */
static int
look_at(struct rundir *r, const char *identity, const char *rest,
        struct run_taking how, enum run_found *found, struct err *e)
{
    int rc = run_compare(r->path, identity, rest, how, e);

    if (rc == 0)
        rc = take_keys(r, identity, rest, e);
    *found = r->config.len == 0 && has_file(r, MANIFEST)
             ? RUN_COMPLETE : RUN_STARTED;
    if (rc == 0 && *found == RUN_STARTED && how.resume == RUN_NOT_RESUMED)
        rc = err_set(e, ERR_EXISTS, "%s: a run that was begun and not "
                     "finished: go on with --resume", r->path);
    return rc;
}

static void
init(struct rundir *r, const char *path, const char *identity,
     enum run_found *found)
{
    memset(r, 0, sizeof(*r));
    buf_init(&r->config);
    r->path = mem_strdup(path);
    r->keys.now = id_of(identity, strlen(identity));
    *found = RUN_NEW;
}

int
rundir_look(const char *path, const char *identity, const char *rest,
            struct run_taking how, enum run_found *found, struct err *e)
{
    struct rundir r;
    struct stat s;
    int rc = 0;

    init(&r, path, identity, found);
    if (stat(path, &s) == 0 && !S_ISDIR(s.st_mode))
        rc = err_set(e, ERR_EXISTS, "%s: exists and is no directory", path);
    else if (stat(path, &s) == 0)
        rc = check_ours(&r, e);
    if (rc == 0 && has_file(&r, CONFIG))
        rc = look_at(&r, identity, rest, how, found, e);
    rundir_release(&r);
    return rc;
}

int
rundir_open(struct rundir *r, const char *path, const char *identity,
            const char *rest, struct run_taking how,
            enum run_found *found, struct err *e)
{
    int rc;

    init(r, path, identity, found);
    rc = dir_make(path, e);
    if (rc == 0)
        rc = check_ours(r, e); /* before anything is put into it */
    if (rc == 0)
        rc = dir_lock(path, e);
    if (rc == 0 && has_file(r, CONFIG)) {
        rc = look_at(r, identity, rest, how, found, e);
        if (rc == 0 && *found == RUN_STARTED)
            rc = remove_all_temps(r, e);
    } else if (rc == 0) {
        rc = check_foreign(r, e);
        if (rc == 0)
            rc = remove_all_temps(r, e);
        if (rc == 0)
            rc = write_new(r, identity, rest, e);
    }
    if (rc < 0)
        rundir_release(r);
    return rc;
}

void
rundir_release(struct rundir *r)
{
    if (r->metrics != NULL)
        fclose(r->metrics);
    run_keys_release(&r->keys);
    buf_release(&r->config);
    free(r->path);
    memset(r, 0, sizeof(*r));
}

int
rundir_metrics(struct rundir *r, const struct train_state *s, struct err *e)
{
    char *path = path_join(r->path, METRICS);
    struct stat st;
    int fd, rc = file_append(&fd, path, e);

    if (rc < 0)
        goto out;
    r->metrics = fdopen(fd, "a");
    if (r->metrics == NULL || fstat(fd, &st) != 0)
        rc = err_errno(e, ERR_IO, "%s", path);
    else if ((uint64_t)st.st_size < s->metrics)
        rc = err_set(e, ERR_DATA, "%s: shorter than when the checkpoint was "
                     "made (found %lld bytes, expected %llu): put the file "
                     "back, or remove checkpoints/step-%llu to go on from "
                     "the one before", path, (long long)st.st_size,
                     (unsigned long long)s->metrics,
                     (unsigned long long)s->step);
    else if (ftruncate(fileno(r->metrics), (off_t)s->metrics) != 0
             || fseek(r->metrics, 0, SEEK_END) != 0)
        rc = err_errno(e, ERR_IO, "%s", path);
out:
    free(path);
    return rc;
}

int
rundir_sync(struct rundir *r, struct err *e)
{
    if (fsync(fileno(r->metrics)) != 0)
        return err_errno(e, ERR_IO, "%s/" METRICS, r->path);
    return dir_sync(r->path, e);
}

int
rundir_log(struct rundir *r, const char *line, uint64_t *size,
           struct err *e)
{
    if (fprintf(r->metrics, "%s\n", line) < 0 || fflush(r->metrics) != 0)
        return err_errno(e, ERR_IO, "%s/" METRICS, r->path);
    *size = (uint64_t)ftell(r->metrics);
    return 0;
}

/* modeldir_source: a parameter's elements by the tensor's name. */
static int
put_param(void *ctx, const struct safetensor *s, struct out *out,
          struct err *e)
{
    const struct trainer *t = ctx;

    for (size_t i = 0; i < t->prog.n_params; i++) {
        const struct param *q = &t->prog.param[i];
        struct view v = prog_param(q, t->prog.params);

        if (strcmp(q->tensor->name, s->name) == 0)
            return exec_write(&t->exec, &v, out, e);
    }
    return err_set(e, ERR_IO, "no parameter %s", s->name);
}

/* A new directory of that name. */
static int
write_model(const struct trainer *t, const char *path, struct err *e)
{
    struct modeldir_source source = { put_param, (void *)t };
    const struct weights *base = &t->model->weights;
    size_t n;
    struct safetensor *item = model_tensors(&t->model->desc, DTYPE_F32, &n);
    struct out_dir w;
    int rc = out_dir_open(&w, path, e);

    if (rc < 0)
        goto out;
    for (size_t i = 0; i < base->n_assets && rc == 0; i++) {
        const struct weight_asset *a = &base->asset[i];

        rc = out_dir_put(&w, a->name, a->data, a->n, e);
    }
    if (rc == 0)
        rc = modeldir_put_weights(&w, item, n, &source, NULL, 0, e);
    if (rc == 0)
        rc = out_dir_commit(&w, e);
    out_dir_release(&w);
out:
    model_tensors_free(item, n);
    return rc;
}

/* In the place of the one before, which is there until this one is whole. */
static int
save_model(const struct trainer *t, const char *path, struct err *e)
{
    struct err ignored;
    struct buf next;
    int rc;

    buf_init(&next);
    buf_addf(&next, "%s.tmp.next", path);
    rc = path_remove(next.data, e);
    if (rc == 0)
        rc = write_model(t, next.data, e);
    if (rc == 0)
        rc = path_replace(path, next.data, e);
    if (rc < 0)
        path_remove(next.data, &ignored);
    buf_release(&next);
    return rc;
}

static const char *
result_name(const struct trainer *t)
{
    return t->opts.prog.method == METHOD_FULL ? "model" : "adapter";
}

int
rundir_save(const struct rundir *r, const struct trainer *t,
            const struct adapter *meta, struct err *e)
{
    char *path = path_join(r->path, result_name(t));
    int rc = t->opts.prog.method == METHOD_FULL
             ? save_model(t, path, e) : lora_save(&t->exec, meta, path, e);

    free(path);
    return rc;
}

/* Adds "DIR/FILE": "ID" for each file of a directory of the run. */
static int
add_ids(const struct rundir *r, const char *dir, struct buf *out,
        struct err *e)
{
    char *path = path_join(r->path, dir), **names, hex[ID_HEX + 1];
    size_t n;
    int rc = dir_list(&names, &n, path, e);

    if (rc < 0)
        goto out;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char *file = path_join(path, names[i]);
        struct id id;

        rc = id_of_file(&id, file, e);
        if (rc == 0)
            buf_addf(out, ", \"%s/%s\": \"%s\"", dir, names[i],
                     id_hex(&id, hex));
        free(file);
    }
    dir_list_free(names, n);
out:
    free(path);
    return rc;
}

/* What the validation loss decided. */
static void
put_outcome(struct buf *b, const struct trainer *t)
{
    const struct validation *v = &t->state.val;

    if (t->opts.validation.keep_best && v->best_step > 0) {
        buf_addf(b, " \"best\": {\"step\": %llu, \"val_loss\": ",
                 (unsigned long long)v->best_step);
        json_put_double(b, v->best);
        buf_addstr(b, "},\n");
    }
    if (v->over)
        buf_addstr(b, " \"ended\": \"patience\",\n");
}

int
rundir_complete(const struct rundir *r, const struct trainer *t,
                struct err *e)
{
    char *path = path_join(r->path, MANIFEST);
    char *config = path_join(r->path, CONFIG), hex[ID_HEX + 1];
    struct id id;
    struct buf b;
    int rc = id_of_file(&id, config, e);

    buf_init(&b);
    buf_addf(&b, "{\"type\": \"run\", \"key\": \"%s\",\n",
             id_hex(&r->keys.now, hex));
    buf_addf(&b, " \"steps\": %llu, \"skipped\": %llu,\n",
             (unsigned long long)t->state.step,
             (unsigned long long)t->state.skipped);
    put_outcome(&b, t);
    buf_addf(&b, " \"files\": {\"" CONFIG "\": \"%s\"", id_hex(&id, hex));
    if (rc == 0)
        rc = add_ids(r, result_name(t), &b, e);
    buf_addstr(&b, "},\n");
    id = id_of(b.data, b.len);
    buf_addf(&b, " \"check\": \"%s\"}\n", id_hex(&id, hex));
    if (rc == 0)
        rc = file_write(path, b.data, b.len, e);
    buf_release(&b);
    free(config);
    free(path);
    return rc;
}
