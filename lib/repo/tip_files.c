/* tip_files.c - directories from a list: what is below one is put there while
 * its own files are told.
 */
#include "repo/tip_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "repo/commit.h"
#include "repo/oid.h"
#include "repo/tree.h"

struct folder {
    size_t dir, n_dir; /* in paths */
    int depth;
    struct oid id;
};

struct search {
    struct tip_files *t;
    struct folder *folder; /* still to be read: the last one is next */
    size_t n, cap;
    struct buf paths;      /* of these, one behind another */
    struct buf dir;        /* of the one that is read */
    uint64_t entries;
};

/* 0 where the loss of an object is to be borne. */
static int
bear(struct tip_files *t, int rc, const struct err *e)
{
    if (!t->keep_going || (rc != ERR_DATA && rc != ERR_LIMIT))
        return rc;
    if (t->lost++ == 0)
        t->first = *e;
    return 0;
}

static void
push(struct search *s, const struct tree_entry *x, int depth)
{
    struct folder *f;

    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->folder = mem_grow(s->folder, s->cap * sizeof(*s->folder));
    }
    f = &s->folder[s->n++];
    *f = (struct folder){ .dir = s->paths.len, .depth = depth, .id = x->id };
    if (s->dir.len + x->name_len > 0) {
        buf_add(&s->paths, s->dir.data, s->dir.len);
        buf_add(&s->paths, x->name, x->name_len);
        if (x->name_len > 0)
            buf_addc(&s->paths, '/');
    }
    f->n_dir = s->paths.len - f->dir;
}

static int
one_file(struct search *s, const struct tree_entry *x, struct err *e)
{
    struct tip_files *t = s->t;
    uint64_t most = t->wants(x->name, x->name_len), size;
    struct object *blob;
    int rc, type;

    if (most == 0)
        return 0;
    rc = objects_header(t->objects, &x->id, &type, &size, e);
    if (rc == 0 && size > most)
        return 0;
    if (rc == 0)
        rc = objects_read(t->objects, &x->id, OBJECT_BLOB, most, &blob,
                          e);
    if (rc < 0)
        return bear(t, rc, e);
    rc = t->file(t->ctx, s->dir.data, s->dir.len, x->name, x->name_len, blob,
                 e);
    object_drop(blob);
    return rc;
}

static int
one_folder(struct search *s, const struct folder *f, struct err *e)
{
    struct tip_files *t = s->t;
    struct object *tree;
    struct tree_entry x;
    const char *p, *end;
    char hex[OID_HEX + 1];
    int rc = objects_read(t->objects, &f->id, OBJECT_TREE,
                          TREE_MAX_BYTES, &tree, e);

    if (rc < 0)
        return bear(t, rc, e);
    p = tree->data;
    end = p + tree->size;
    while (rc == 0 && p < end) {
        if (!tree_next(&p, end, &x)) {
            rc = bear(t, err_set(e, ERR_DATA, "tree %s: malformed",
                                 oid_hex(&f->id, hex)), e);
            break;
        }
        if (++s->entries > t->max_entries)
            rc = err_set(e, ERR_LIMIT, "too many tree entries in one commit "
                         "(limit %" PRIu64 ")", t->max_entries);
        else if (mode_is_file(x.mode))
            rc = one_file(s, &x, e);
        else if ((x.mode & MODE_TYPE) == MODE_TREE
                 && f->depth < TREE_MAX_DEPTH
                 && s->dir.len + x.name_len < TREE_MAX_PATH)
            push(s, &x, f->depth + 1);
    }
    object_drop(tree);
    return rc;
}

static int
all_folders(struct search *s, const struct oid *root, struct err *e)
{
    struct tree_entry x = { .name = "", .id = *root };
    struct folder f;
    int rc = 0;

    push(s, &x, 0);
    while (rc == 0 && s->n > 0) {
        f = s->folder[--s->n];
        buf_reset(&s->dir);
        buf_add(&s->dir, s->paths.data + f.dir, f.n_dir);
        s->paths.len = f.dir;
        rc = one_folder(s, &f, e);
    }
    return rc;
}

int
tip_files_read(struct tip_files *t, const struct oid *commit,
               struct err *e)
{
    struct search s = { .t = t };
    struct object *x;
    struct commit c;
    int rc = objects_read(t->objects, commit, OBJECT_COMMIT,
                          COMMIT_MAX_BYTES, &x, e);

    if (rc == 0) {
        rc = commit_parse(&c, x->data, x->size, e);
        object_drop(x);
    }
    if (rc < 0)
        return bear(t, rc, e);
    buf_init(&s.paths);
    buf_init(&s.dir);
    rc = all_folders(&s, &c.tree, e);
    free(s.folder);
    buf_release(&s.paths);
    buf_release(&s.dir);
    return rc;
}
