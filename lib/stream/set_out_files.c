/* set_out_files.c - the files of a set that is being made.
 *
 * While `same` holds, all that came is in the old set too, at the same
 * place, and nothing has been written. The first difference makes `diverge`
 * open the file it falls into and copy what the old set has of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stream/set_out_state.h"

int
set_out_refuse(const struct set_out_state *s, const char *what, uint64_t at,
               struct err *e)
{
    return err_set(e, ERR_EXISTS, "%s: holds another set, which %s %llu",
                   s->dir, what, (unsigned long long)at);
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
        return set_out_refuse(s, what, at, e);
    s->same = false;
    if (s->first_record == s->records && s->first_tensor == s->tensors)
        return 0;
    rc = open_file(o, e);
    return rc < 0 ? rc : copy_old(s, e);
}

int
set_out_end_file(struct set_out *o, bool last, struct err *e)
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
    return s->raw >= s->file_bytes ? set_out_end_file(o, false, e) : 0;
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
        rc = set_out_end_file(o, false, e);
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
set_out_data(struct set_out *o, const struct stream_in *in, const void *p,
             size_t n, struct err *e)
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
    if (s->same)
        return 0;
    return in ? stream_out_copy(&s->file, in, p, n, e)
              : stream_out_data(&s->file, p, n, e);
}
