/* json_index.h - the checker fills a json_index through this, the reader looks
 * into it; private to lib/base.
 *
 * depth is that of the array or object that is meant: 1 for the root.
 */
#ifndef BASE_JSON_INDEX_H
#define BASE_JSON_INDEX_H

#include "base/json.h"

void json_index_open(struct json_index *ix, int depth, size_t at);
void json_index_close(struct json_index *ix, int depth, size_t end, size_t n);

/* A key of the object at depth. */
void json_index_key(struct json_index *ix, int depth,
                    const struct json_text *key);

/* Whether the object that opens at depth is the one whose keys are kept. */
bool json_index_keeps(const struct json_index *ix, int depth);

/* The span that opens at j->p, or NULL: it is short, or deep inside. */
const struct json_span *json_index_find(const struct json *j);

#endif
