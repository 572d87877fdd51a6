/* set_out.c - making a shard set, or adding to one: its directory, the set
 * that is there, and the manifest, which is written last.
 */
#include "stream/set_out_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "stream/set_dir.h"

/* Reads every byte of the set that is there. */
static int
check_old(const char *dir, struct err *e)
{
    struct manifest m;
    uint64_t good;
    int rc = set_manifest(&m, dir, NULL, e);

    if (rc < 0)
        return rc;
    rc = set_verify(&m, dir, NULL, NULL, &good, e);
    manifest_release(&m);
    return rc;
}

/* Opens the set that is there. One that is to be replaced is read whole
 * first: damaged, it is as good as none, and so is its file of lengths. */
static int
open_old(struct set_out_state *s, struct err *e)
{
    int rc = s->replace ? check_old(s->dir, e) : 0;

    if (rc == 0)
        rc = set_open(&s->old, s->dir, NULL, e);
    s->have_old = rc == 0;
    if (rc == 0)
        rc = lengths_out_open(&s->lengths, s->dir, &s->old.manifest, e);
    return s->replace ? 0 : rc;
}

int
set_out_open(struct set_out *o, const char *dir, bool replace, struct err *e)
{
    struct set_out_state *s = mem_alloc(sizeof(*s));
    size_t n = strlen(dir);
    char *manifest;
    int rc;

    memset(o, 0, sizeof(*o));
    o->state = s;
    manifest_init(&o->manifest, "text");
    stream_head_init(&s->head, "text");
    while (n > 1 && dir[n - 1] == '/')
        n--;
    s->dir = mem_dup(dir, n);
    manifest = path_join(s->dir, MANIFEST_NAME);
    lengths_out_open(&s->lengths, s->dir, NULL, e);
    s->replace = replace;
    s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    rc = s->spare < 0 ? err_errno(e, ERR_IO, "/dev/null") :
                        set_dir_make(s->dir, &s->made, e);
    if (rc == 0 && !s->made)
        rc = set_dir_check(s->dir, s->replace, e);
    if (rc == 0)
        rc = dir_lock(s->dir, e);
    if (rc < 0)
        goto out;
    s->locked = true;
    if (path_exists(manifest)) {
        io_temp_drop(s->dir); /* another made a set in it meanwhile */
        s->made = false;
        rc = open_old(s, e);
    } else if (s->made) {
        io_temp_whole(s->dir);
    }
out:
    free(manifest);
    if (rc < 0)
        set_out_release(o);
    return rc;
}

const struct manifest *
set_out_old(const struct set_out *o)
{
    return o->state->have_old ? &o->state->old.manifest : NULL;
}

int
set_out_begin(struct set_out *o, const struct stream_head *head,
              uint64_t file_bytes, struct err *e)
{
    struct set_out_state *s = o->state;
    struct err why;

    stream_head_release(&o->manifest.head);
    stream_head_copy(&o->manifest.head, head);
    stream_head_release(&s->head);
    stream_head_copy(&s->head, head);
    stream_head_prov(&s->head, NULL);
    s->head.is_part = true;
    s->file_bytes = file_bytes;
    s->started = true;
    s->same = s->have_old
              && stream_head_same(&s->old.manifest.head, head, s->dir,
                               &why) == 0;
    if (s->have_old && !s->same && !s->replace)
        return err_set(e, ERR_EXISTS, "%s: holds another set: %s", s->dir,
                       why.text);
    return 0;
}

int
set_out_lengths(struct set_out *o, const void *p, size_t n, struct err *e)
{
    return lengths_out_add(&o->state->lengths, p, n, e);
}

/* Ends the file of lengths. */
static int
end_lengths(struct set_out *o, struct err *e)
{
    struct set_out_state *s = o->state;
    char *path;
    int rc = lengths_out_end(&s->lengths, &o->manifest, e);

    if (rc == 0 && s->lengths.written && !s->made) {
        path = path_join(s->dir, o->manifest.lengths.name);
        io_temp_add(path);
        free(path);
    }
    return rc;
}

static void
keep_file(const struct set_out_state *s, const char *name)
{
    char *path = path_join(s->dir, name);

    io_temp_drop(path);
    free(path);
}

/* From here on the manifest may name the new files. */
static void
keep_files(struct set_out *o)
{
    const struct manifest *m = &o->manifest;

    o->state->committing = true;
    for (size_t i = 0; i < m->n_files; i++)
        keep_file(o->state, m->file[i].name);
    keep_file(o->state, m->lengths.name);
}

int
set_out_finish(struct set_out *o, struct err *e)
{
    struct set_out_state *s = o->state;
    const struct manifest *old = set_out_old(o);
    bool again;
    int rc = 0;

    if (s->records > s->first_record || s->tensors > s->first_tensor)
        rc = set_out_end_file(o, true, e);
    if (rc < 0)
        return rc;
    manifest_finish(&o->manifest);
    again = old && id_equal(&old->content, &o->manifest.content);
    if (s->same && !again && !s->replace)
        return set_out_refuse(s, s->records < old->records
                              ? "goes on at record"
                              : "has other splits of its records below",
                              s->records, e);
    rc = end_lengths(o, e);
    if (rc < 0)
        return rc;
    if (again && !s->lengths.written
        && strcmp(old->lengths.name, o->manifest.lengths.name) == 0) {
        s->done = true;
        return set_dir_clean(s->dir, old, e);
    }
    keep_files(o);
    rc = manifest_write(&o->manifest, s->dir, e);
    if (rc < 0)
        return rc;
    o->written = s->done = true;
    if (s->made)
        io_temp_drop(s->dir);
    return set_dir_clean(s->dir, &o->manifest, e);
}

/* Takes back what was written: the directory, or the new files in it. That
 * something can't be removed is said by nobody: an error is on its way. */
static void
take_back(struct set_out *o)
{
    struct set_out_state *s = o->state;
    struct err e;

    if (s->spare >= 0)
        close(s->spare);
    s->spare = -1;
    if (!s->locked) {
        if (s->made)
            rmdir(s->dir); /* it stays where another has begun in it */
        io_temp_drop(s->dir);
    } else if (s->made) {
        if (path_remove(s->dir, &e) == 0)
            io_temp_drop(s->dir);
    } else if (s->started && !s->committing) {
        if (set_dir_clean(s->dir, set_out_old(o), &e) < 0)
            return;
    }
}

void
set_out_release(struct set_out *o)
{
    struct set_out_state *s = o->state;

    if (!s)
        return;
    if (s->open)
        stream_out_release(&s->file);
    lengths_out_release(&s->lengths);
    if (!s->done)
        take_back(o);
    if (s->have_old)
        set_release(&s->old);
    if (s->spare >= 0)
        close(s->spare);
    stream_head_release(&s->head);
    manifest_release(&o->manifest);
    free(s->dir);
    free(s);
    o->state = NULL;
}
