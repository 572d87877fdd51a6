/* packing.h - files of one folder as one token record.
 *
 * The token records of whole files, as the layout makes one of each, are
 * joined while they are of one repository and folder, follow each other and
 * stay within the limit: the first as it is, the others without the tokens of
 * the repository, which they begin with, and one end behind all:
 *
 *     <repo_name>R<file_sep>a/x\n...<file_sep>a/y\n...<|endoftext|>
 *
 * A record that does not begin with these tokens, or that is too long, begins
 * a new one, so what comes out is never over the limit if what goes in is not.
 * The joined record has the origin of its first, but for the edit and the
 * content, which are hashes of all, and a language that not all have.
 */
#ifndef RECORD_PACKING_H
#define RECORD_PACKING_H

#include "record/group.h"
#include "record/tokens.h"
#include "stream/stream.h"
#include "text/template.h"

struct packing {
    const struct template *layout;
    uint64_t max_tokens; /* > 0; set by the caller */
    uint64_t records;    /* written so far */

    /* private */
    struct encoder en;
    struct template_out head, bare; /* of the repository, and without it */
    struct buf repo, folder;        /* of what waits */
    struct tokens_origin origin;    /* its names are in buffers below */
    struct buf origin_repo, origin_lang, origin_path;
    struct ids ids, next;           /* what waits (n 0: nothing), and the
                                       record that comes */
    struct buf loss, next_loss, record;
};

/* layout and t, its tokenizer, must live as long; the layout may be opened
 * later, before the first record comes. */
void packing_init(struct packing *k, const struct template *layout,
                  const struct tokenizer *t);
void packing_release(struct packing *k);

/* Takes the token record p[n] of a file of that folder (see
 * group_key_of_folder). */
int packing_add(struct packing *k, const struct group_key *folder,
                const void *p, size_t n, struct stream_out *out,
                struct err *e);

/* Writes what waits. */
int packing_flush(struct packing *k, struct stream_out *out, struct err *e);

#endif
