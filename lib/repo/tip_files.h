/* tip_files.h - files by name in the tree of one commit: those that say
 * something of others, as .gitattributes does.
 */
#ifndef REPO_TIP_FILES_H
#define REPO_TIP_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/objects.h"

struct tip_files {
    struct objects *objects;
    uint64_t max_entries;  /* of trees that are read */
    bool keep_going;       /* past objects that can't be read */
    uint64_t lost;         /* of these, and why the first was */
    struct err first;
    void *ctx;
    /* Whether the file of that name, the last part of its path, is wanted:
     * how many bytes of it at most; 0: it isn't. */
    uint64_t (*wants)(const char *name, size_t n);
    /* One of these; dir is empty or ends in a slash. The files of a directory
     * come before those below. Larger ones don't come. */
    int (*file)(void *ctx, const char *dir, size_t n_dir, const char *name,
                size_t n, const struct object *blob, struct err *e);
};

/* All of the commit's. ERR_LIMIT beyond max_entries or TREE_MAX_DEPTH. */
int tip_files_read(struct tip_files *t, const struct oid *commit,
                   struct err *e);

#endif
