/* place.h - where a repository is, and whether it may be read.
 *
 * Every file is opened without following symbolic links or waiting (a FIFO
 * hangs libgit2 for ever), and no configuration outside the repository is
 * ever read. What points out of the repository (a .git file, a symbolic
 * link, a configuration include, alternates) is refused unless trusted.
 */
#ifndef REPO_PLACE_H
#define REPO_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct place {
    char *name;    /* the last part of the repository's path, no ".git" */
    char *gitdir;  /* HEAD is here */
    char *common;  /* refs, packed-refs, config, objects are here */
    char *objects;
    bool trust;
    bool partial;  /* a partial clone, which may lack objects */
    bool replaced; /* git shows another history: grafts, replace refs */
    struct buf packed; /* packed-refs, empty if there is none */
};

/* The text names a repository elsewhere, as https://HOST/PATH or HOST:PATH do,
 * and nothing here. */
bool place_remote(const char *text);

/* path is a work tree or a git directory. ERR_IO if it doesn't exist,
 * ERR_USAGE if it is a directory inside one, ERR_DATA if it is no repository,
 * or a shallow clone, or of an unknown format, or not to be trusted; the text
 * says which. */
int place_open(struct place *p, const char *path, bool trust,
               bool trust_owner, struct err *e);
void place_release(struct place *p);

/* Reads dir/name, a regular file of at most max bytes, into b. *found is
 * false if it doesn't exist. A symbolic link, be it any part of name, is
 * followed if trusted, else ERR_DATA. */
int place_read(const struct place *p, const char *dir, const char *name,
               size_t max, struct buf *b, bool *found, struct err *e);

/* The text of the symbolic link dir/name, in out[cap] and followed by a NUL.
 * False if it is none, or too long, or behind a link that is not trusted. */
bool place_link(const struct place *p, const char *dir, const char *name,
                char *out, size_t cap);

#endif
