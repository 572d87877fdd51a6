/* look.h - whether a record is one of its stream's type. */
#ifndef RECORD_LOOK_H
#define RECORD_LOOK_H

#include "record/change.h"
#include "record/leaks.h"
#include "record/lengths.h"
#include "record/text.h"
#include "stream/stream.h"

struct look {
    struct text_rec text;
    struct change change;
    const struct manifest *set;    /* whose records they are, or NULL */
    const struct lengths *lengths; /* its, to compare them with */
    uint64_t n_tokens;             /* token records looked at */
    struct leaks leaks;            /* of a set: all records looked at */
};

void look_init(struct look *d);
void look_release(struct look *d);

/* A set_look (stream/set.h) whose ctx is a struct look: ERR_DATA for a
 * record or descriptor that can't be read, or ids that are not below the
 * vocabulary of the head, or a token record that is not as the lengths of
 * its set have it. */
int look_at(void *ctx, const struct stream_head *head,
            const struct stream_rec *rec, struct err *e);

#endif
