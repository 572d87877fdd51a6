/* json_index.c - what a check of a big text tells its reader: where long
 * arrays and objects end and how many members they have, and the keys of one
 * object.
 *
 * A span is put when it opens. One that is found to be short when it closes is
 * the last: what is in it was short, too.
 */
#include "base/json_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SHORT 1024 /* bytes: sooner read again than found */

void
json_index_open(struct json_index *ix, int depth, size_t at)
{
    if (depth > JSON_INDEX_DEPTH)
        return;
    if (ix->n == ix->cap) {
        ix->cap = ix->cap * 2 + 16;
        ix->span = mem_grow(ix->span, ix->cap * sizeof(ix->span[0]));
    }
    ix->open[depth - 1] = ix->n;
    ix->span[ix->n++] = (struct json_span){ .at = at };
}

void
json_index_close(struct json_index *ix, int depth, size_t end, size_t n)
{
    struct json_span *s;

    if (depth > JSON_INDEX_DEPTH)
        return;
    s = &ix->span[ix->open[depth - 1]];
    s->end = end;
    s->n = n;
    if (end - s->at < SHORT)
        ix->n = ix->open[depth - 1];
}

bool
json_index_keeps(const struct json_index *ix, int depth)
{
    return ix->n_path == depth - 1 && !ix->path[ix->n_path];
}

void
json_index_key(struct json_index *ix, int depth, const struct json_text *key)
{
    const char *name;

    if (ix->n_path < depth - 1)
        return;
    ix->n_path = depth - 1;
    name = ix->path[ix->n_path];
    if (name && strlen(name) == key->n && memcmp(name, key->p, key->n) == 0)
        ix->n_path++;
}

const struct json_span *
json_index_find(const struct json *j)
{
    const struct json_index *ix = j->index;
    size_t at = (size_t)(j->p - j->start), low = 0, high = ix ? ix->n : 0;
    size_t mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (ix->span[mid].at == at)
            return &ix->span[mid];
        if (ix->span[mid].at < at)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

void
json_index_release(struct json_index *ix)
{
    free(ix->span);
    map_release(&ix->keys);
    memset(ix, 0, sizeof(*ix));
}
