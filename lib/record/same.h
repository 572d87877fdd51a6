/* same.h - by which records are known to be the same.
 *
 * Two records have the same edit where dedup finds no difference at all:
 * commits with the same removed and added lines in the same order, whatever
 * the message, the path and the context are; files and documents with the
 * same text, conversations with the same messages. They have the same content
 * where the file is the same behind both (a commit's after_id, the text of a
 * file), and are of the same commit where its id is the same, in whatever
 * repository.
 *
 * Tokens tell none of it (messages, paths and the limit of tokens change
 * them), so it is found in the text and goes with the token record.
 */
#ifndef RECORD_SAME_H
#define RECORD_SAME_H

#include "record/change.h"
#include "record/text.h"

/* The first eight bytes of hashes, little-endian, so that of n pairs of
 * records n / 2^64 are taken for the same; 0: there is none. */
struct same {
    uint64_t edit, content, commit;
};

/* Adds to h what of the record is compared as its edit; false, where nothing
 * is. c: what the field change was decoded to, NULL without that field; body:
 * of text_body. */
bool same_edit(struct hash *h, const struct text_rec *r,
               const struct change *c, const struct id *body);

/* Of its commit alone. */
uint64_t same_commit(const struct text_rec *r);

/* All three; c and body as above. */
struct same same_of(const struct text_rec *r, const struct change *c,
                    const struct id *body);

#endif
