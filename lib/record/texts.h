/* texts.h - the texts that a record holds, one after another: what people
 * wrote, without numbers, ids and paths. */
#ifndef RECORD_TEXTS_H
#define RECORD_TEXTS_H

#include "record/change.h"
#include "record/text.h"

/* Memory that is reused from record to record. */
struct texts {
    struct text_rec rec;
    struct change change;
    struct buf side;
};

void texts_init(struct texts *t);
void texts_release(struct texts *t);

/* Takes one text; p dies with the call. */
typedef void text_taker(void *ctx, const char *p, size_t n);

/* Gives every text of the encoded record p[n] to take: subject, body and the
 * changed lines of a commit, the messages of a chat, the text of the others.
 * ERR_DATA, also after some of them were taken. */
int texts_of(struct texts *t, const void *p, size_t n, text_taker *take,
             void *ctx, struct err *e);

#endif
