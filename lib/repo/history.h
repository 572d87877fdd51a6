/* history.h - the changes of a history, commit by commit, file by file.
 *
 * history_run walks a repository in canonical order (walk.h) and tells a
 * sink of every file that a commit changed, in path order. A merge gives
 * only files that differ from every parent, as they differ from the merge that
 * git would have made (remerge.h), or, where only first parents are followed,
 * all that differ from the first. All objects of a commit are read
 * and judged before the sink hears of the first file, so that an unreadable
 * object loses the whole commit, or, where that is to be borne, the files that
 * need it; commits of over 16 MiB of blobs are
 * read twice for that.
 *
 * What is no text is not told but counted, by reason.
 */
#ifndef REPO_HISTORY_H
#define REPO_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "repo/edit.h"
#include "repo/objects.h"
#include "repo/rev.h"
#include "repo/skip.h"
#include "repo/span.h"
#include "repo/walk.h"

/* What a merge gives of the files that differ from all of its parents. */
enum merge_policy {
    MERGES_REMERGE,      /* the difference from git's own merge of them */
    MERGES_FIRST_PARENT, /* that from the first parent */
    MERGES_SKIP          /* nothing, whatever they differ from */
};

struct history_options {
    const char *rev;        /* NULL: HEAD */
    bool all, first_parent;
    enum merge_policy merges; /* of two parents or more, both followed */
    bool keep_going;        /* past what can't be read */
    bool files;             /* the files at the revision, not changes */
    bool has_since, has_until;
    int64_t since, until;   /* both inclusive, committer time */
    const char *const *glob; /* paths wanted: any of them; n_globs 0: all */
    size_t n_globs;
    uint64_t max_blob;
    uint64_t max_entries;   /* tree entries visited per commit */
    uint64_t first_ordinal; /* begin there (the walk is still whole) */
};

/* One file. Everything lives until the call returns. */
struct history_file {
    uint64_t ordinal;
    struct oid commit, parent; /* parent zero: none */
    int64_t time;
    uint64_t author;           /* K, by first appearance in the walk */
    struct span subject, body, path, old_path; /* old_path.p NULL: none */
    char status;               /* A D M R */
    const struct object *side[2]; /* NULL: absent */
    size_t n_lines[2];            /* of each side */
    const struct edit_list *edits; /* if both sides are there */
};

struct history_sink {
    void *ctx;

    /* Once, after the walk and before any file. other_refs were left out
     * because they don't lead to a commit. */
    int (*start)(void *ctx, const struct tips *tips, const struct walk *w,
                 uint64_t other_refs, struct err *e);

    /* Author K, before the first file of a commit that has it. */
    int (*author)(void *ctx, uint64_t k, struct span who, struct err *e);
    int (*file)(void *ctx, const struct history_file *f, struct err *e);

    /* Of the commit, n files or directories could not be read; why is about
     * the first of them. */
    int (*lost)(void *ctx, const struct oid *commit, uint64_t n,
                const struct err *why, struct err *e);

    /* The commit is complete, having left out that many files. */
    int (*commit)(void *ctx, uint64_t ordinal,
                  const uint64_t skips[N_SKIPS], struct err *e);

    /* An unreadable commit (perhaps found before start): 0 to leave it out,
     * negative to give up. `why` names it. cut: its parents are unknown,
     * what came before it is left out with it. */
    int (*bad)(void *ctx, const struct oid *commit, bool cut,
               const struct err *why, struct err *e);
};

int history_run(const struct place *p, struct objects *o,
                const struct history_options *options,
                const struct history_sink *sink, struct err *e);

#endif
