/* list_adapter.h - what an adapter is, in a line. */
#ifndef CLI_LIST_ADAPTER_H
#define CLI_LIST_ADAPTER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends a line, without its end, about the adapter that path names
 * (adapter_find), all of which is read: a JSON object of schemas/adapter.json
 * or, for people, text. Failure as adapter_find and adapter_read. */
int list_adapter(struct buf *b, const char *path, bool people, struct err *e);

#endif
