/* set_out.c - making a shard set, or adding to one.
 *
 * While `same` holds, all that came is in the old set too, at the same
 * place, and nothing has been written. The first difference makes `diverge`
 * open the file it falls into and copy what the old set has of it.
 */
#include "stream/set_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "stream/set_dir.h"
#include "stream/set_lengths_out.h"

struct set_out_state {
    char *dir;
    bool made;    /* the directory is ours */
    bool locked;
    int spare;    /* a descriptor to take back with when all are in use */
    bool started; /* set_out_begin was called */
    bool done;    /* the manifest is written, or need not be */
    bool committing; /* which manifest is there is not known: keep all */
    bool replace;
    bool have_old, same;
    struct set old;
    struct stream_head head; /* of the files */
    uint64_t file_bytes;
    struct stream_out file;
    bool open;                   /* file is being written */
    struct lengths_out lengths;
    uint64_t records, tensors;   /* that came, in all */
    uint64_t first_record;       /* of the current file */
    uint64_t first_tensor;
    uint64_t raw;                /* bytes in the current file */
    uint64_t data, data_got;     /* of the current tensor */
};

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
    int rc;

    memset(o, 0, sizeof(*o));
    o->state = s;
    manifest_init(&o->manifest, "text");
    stream_head_init(&s->head, "text");
    while (n > 1 && dir[n - 1] == '/')
        n--;
    s->dir = mem_dup(dir, n);
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
    if (!s->made && set_dir_manifest(s->dir))
        rc = open_old(s, e);
out:
    if (rc < 0)
        set_out_release(o);
    return rc;
}

const struct manifest *
set_out_old(const struct set_out *o)
{
    return o->state->have_old ? &o->state->old.manifest : NULL;
}

static int
refuse(const struct set_out_state *s, const char *what, uint64_t at,
       struct err *e)
{
    return err_set(e, ERR_EXISTS, "%s: holds another set, which %s %llu",
                   s->dir, what, (unsigned long long)at);
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

/* Begins the next file; its name is known when its content is. */
static int
open_file(struct set_out *o, struct err *e)
{
    struct set_out_state *s = o->state;
    char name[32], *path;
    int rc;

    snprintf(name, sizeof(name), "%05zu", o->manifest.n_files);
    path = path_join(s->dir, name);
    rc = stream_out_open(&s->file, path, e);
    free(path);
    if (rc < 0)
        return rc;
    s->open = true;
    s->head.part = o->manifest.n_files;
    return stream_out_begin(&s->file, &s->head, e);
}

/* What the current file holds has been written: gives it its name. */
static int
close_file(struct set_out *o, struct err *e)
{
    struct set_out_state *s = o->state;
    const struct set_file *f;
    char *path;
    int rc;

    rc = stream_out_end(&s->file, e);
    if (rc < 0)
        return rc;
    f = manifest_add_file(&o->manifest, &s->file.trailer, s->file.out.at);
    path = path_join(s->dir, f->name);
    out_rename(&s->file.out, path);
    rc = stream_out_close(&s->file, e);
    s->open = false;
    if (rc == 0 && !s->made)
        io_temp_add(path);
    free(path);
    return rc;
}

/* Records and tensors of the old set's file i, and all before it. */
static void
old_end(const struct set_out_state *s, size_t n_files, uint64_t *records,
        uint64_t *tensors)
{
    size_t i;

    *records = *tensors = 0;
    for (i = 0; i < n_files && i < s->old.manifest.n_files; i++) {
        *records += s->old.manifest.file[i].records;
        *tensors += s->old.manifest.file[i].tensors;
    }
}

/* Copies into the open file what the old set has of it. */
static int
copy_old(struct set_out_state *s, struct err *e)
{
    const struct set_tensor *t;
    uint64_t i, have;
    const void *p;
    size_t n;
    int rc = 0;

    for (i = s->first_record; i < s->records && rc == 0; i++) {
        rc = set_record(&s->old, i, &p, &n, e);
        if (rc == 0)
            rc = stream_out_record(&s->file, p, n, e);
    }
    for (i = s->first_tensor; i < s->tensors && rc == 0; i++) {
        t = &s->old.tensor[i];
        have = i + 1 == s->tensors ? s->data_got : t->n_data;
        rc = stream_out_tensor(&s->file, t->desc, t->n_desc, t->n_data, e);
        if (rc == 0 && have > 0)
            rc = stream_out_data(&s->file, t->data, have, e);
    }
    return rc;
}

/* Here the old set ends, or differs: from now on files are written. what is
 * how it differs, unless more was appended. */
static int
diverge(struct set_out *o, const char *what, uint64_t at, bool appended,
        struct err *e)
{
    struct set_out_state *s = o->state;
    int rc;

    if (!appended && !s->replace)
        return refuse(s, what, at, e);
    s->same = false;
    if (s->first_record == s->records && s->first_tensor == s->tensors)
        return 0;
    rc = open_file(o, e);
    return rc < 0 ? rc : copy_old(s, e);
}

/* Ends the current file, kept or written. *kept false: the old set has no
 * cut here, so its file can't stay. */
static int
end_file(struct set_out *o, bool last, struct err *e)
{
    struct set_out_state *s = o->state;
    size_t i = o->manifest.n_files;
    uint64_t records, tensors;
    struct set_file *f;
    int rc;

    if (s->same) {
        old_end(s, i + 1, &records, &tensors);
        if (i >= s->old.manifest.n_files || records != s->records
            || tensors != s->tensors) {
            rc = diverge(o, last ? "goes on at record" :
                         "is cut elsewhere than at record", s->records,
                         false, e);
            if (rc < 0)
                return rc;
        }
    }
    if (s->same) {
        o->manifest.file = mem_grow(o->manifest.file,
                                    (i + 1) * sizeof(*f));
        f = &o->manifest.file[o->manifest.n_files++];
        *f = s->old.manifest.file[i];
        f->name = mem_strdup(f->name);
    } else {
        rc = close_file(o, e);
        if (rc < 0)
            return rc;
    }
    s->first_record = s->records;
    s->first_tensor = s->tensors;
    s->raw = 0;
    return 0;
}

static int
ready_file(struct set_out *o, struct err *e)
{
    return o->state->open ? 0 : open_file(o, e);
}

int
set_out_record(struct set_out *o, const void *p, size_t n, struct err *e)
{
    struct set_out_state *s = o->state;
    const void *old;
    size_t n_old;
    int rc;

    if (s->same && s->records >= s->old.manifest.records) {
        rc = diverge(o, "differs at record", s->records, true, e);
        if (rc < 0)
            return rc;
    }
    if (s->same) {
        rc = set_record(&s->old, s->records, &old, &n_old, e);
        if (rc == 0 && (n != n_old || memcmp(p, old, n) != 0))
            rc = diverge(o, "differs at record", s->records, false, e);
        if (rc < 0)
            return rc;
    }
    if (!s->same) {
        rc = ready_file(o, e);
        if (rc == 0)
            rc = stream_out_record(&s->file, p, n, e);
        if (rc < 0)
            return rc;
    }
    s->records++;
    s->raw += n + 8;
    return s->raw >= s->file_bytes ? end_file(o, false, e) : 0;
}

int
set_out_tensor(struct set_out *o, const void *desc, size_t n,
               uint64_t n_data, struct err *e)
{
    struct set_out_state *s = o->state;
    const struct set_tensor *t;
    int rc;

    if (s->tensors > s->first_tensor
        && (n_data > s->file_bytes || s->raw > s->file_bytes - n_data)) {
        rc = end_file(o, false, e);
        if (rc < 0)
            return rc;
    }
    if (s->same) {
        t = s->tensors < s->old.n_tensors ? &s->old.tensor[s->tensors] : NULL;
        rc = 0;
        if (!t || n != t->n_desc || memcmp(desc, t->desc, n) != 0
            || n_data != t->n_data)
            rc = diverge(o, "differs at tensor", s->tensors, !t, e);
        if (rc < 0)
            return rc;
    }
    if (!s->same) {
        rc = ready_file(o, e);
        if (rc == 0)
            rc = stream_out_tensor(&s->file, desc, n, n_data, e);
        if (rc < 0)
            return rc;
    }
    s->tensors++;
    s->raw += n_data;
    s->data = n_data;
    s->data_got = 0;
    return 0;
}

int
set_out_data(struct set_out *o, const void *p, size_t n, struct err *e)
{
    struct set_out_state *s = o->state;
    const char *old;
    int rc;

    if (s->same) {
        old = s->old.tensor[s->tensors - 1].data;
        if (n > s->data - s->data_got
            || (n > 0 && memcmp(p, old + s->data_got, n) != 0)) {
            rc = diverge(o, "differs at tensor", s->tensors - 1, false, e);
            if (rc < 0)
                return rc;
        }
    }
    s->data_got += n;
    return s->same ? 0 : stream_out_data(&s->file, p, n, e);
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
        rc = end_file(o, true, e);
    if (rc < 0)
        return rc;
    manifest_finish(&o->manifest);
    again = old && id_equal(&old->content, &o->manifest.content);
    if (s->same && !again && !s->replace)
        return refuse(s, s->records < old->records ? "goes on at record" :
                      "has other splits of its records below", s->records, e);
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
        if (!s->made || rmdir(s->dir) == 0)
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
