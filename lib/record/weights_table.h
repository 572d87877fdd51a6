/* weights_table.h - a weights stream as a table for people: a line for each
 * file and tensor, with its size in MiB. */
#ifndef RECORD_WEIGHTS_TABLE_H
#define RECORD_WEIGHTS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* What has had its line so far. */
struct weights_table {
    uint64_t files, tensors, bytes;
};

/* Each appends a line, without its newline; the heading comes with the first
 * of all. ERR_DATA for what is no asset or descriptor. */
int weights_table_asset(struct weights_table *t, struct buf *b,
                        const void *record, size_t n, struct err *e);
int weights_table_tensor(struct weights_table *t, struct buf *b,
                         const void *desc, size_t n, uint64_t n_data,
                         struct err *e);
void weights_table_total(const struct weights_table *t, struct buf *b);

#endif
