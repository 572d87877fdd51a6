/* dispatch.h - what the child that reads a repository tells its parent: each
 * kind of frame (repo/child.h) with its encoder, and the decoder of all.
 *
 * The parent trusts nothing of it: that a dispatch can be decoded says that
 * it has its parts, not that they are right.
 */
#ifndef RECORD_DISPATCH_H
#define RECORD_DISPATCH_H

#include "repo/child.h"
#include "repo/history.h"

/* ---- the child's end; the letter is the frame's type ---- */

/* 'H': the walk has ended, files come. Sent at once: with it the parent's
 * segment begins, whatever comes then. license: of the root, or NULL. */
int dispatch_start(struct sender *s, uint64_t n_commits, uint64_t other_refs,
                   bool replaced, const char *name, const char *license,
                   const struct tips *tips, struct err *e);

/* 'A': author number k. */
int dispatch_author(struct sender *s, uint64_t k, struct span who,
                    struct err *e);

/* 'R': a text record, which is encoded into s->out before sender_end. */
void dispatch_record_begin(struct sender *s);

/* 'L': n files or directories of a commit can't be read. */
int dispatch_lost(struct sender *s, const struct oid *commit, uint64_t n,
                  const char *why, struct err *e);

/* 'C': the commit is complete, having left out that many files. */
int dispatch_commit(struct sender *s, uint64_t ordinal,
                    const uint64_t skips[N_SKIPS], struct err *e);

/* 'B': a commit can't be read; cut: nor can what came before it. */
int dispatch_bad(struct sender *s, const struct oid *commit, bool cut,
                 const char *why, struct err *e);

/* 'E': reading has failed. */
int dispatch_error(struct sender *s, const struct err *why, struct err *e);

/* ---- the parent's end ---- */

enum dispatch_kind {
    DISPATCH_START = 'H', DISPATCH_AUTHOR = 'A', DISPATCH_RECORD = 'R',
    DISPATCH_LOST = 'L', DISPATCH_COMMIT = 'C', DISPATCH_BAD = 'B',
    DISPATCH_ERROR = 'E'
};

#define DISPATCH_TIP_BYTES (4 + OID_BYTES) /* u32 flags, id */

/* The parts of a frame; pointers are into it. */
struct dispatch {
    enum dispatch_kind kind;
    struct span text; /* name, author, record, why or error */
    union {
        struct {
            uint64_t n_commits, other_refs;
            bool replaced;
            struct span license; /* n 0: none is known */
            struct span tips;    /* DISPATCH_TIP_BYTES each */
        } start;
        struct {
            uint64_t k;
        } author;
        struct {
            uint64_t ordinal, skips[N_SKIPS];
        } commit;
        struct {
            const void *commit; /* OID_BYTES */
            uint64_t n;
        } lost;
        struct {
            const void *commit; /* OID_BYTES */
            bool cut;
        } bad;
        struct {
            enum err_code code;
        } error;
    } of;
};

/* ERR_DATA for what is no frame of these. */
int dispatch_decode(struct dispatch *d, uint8_t type, const char *p, size_t n,
                    struct err *e);

#endif
