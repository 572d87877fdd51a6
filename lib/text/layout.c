/* layout.c - names of what a layout speaks of, and its memory. */
#include "text/layout.h"

#include <stdlib.h>
#include <string.h>

const char *
field_name(enum template_field field)
{
    static const char *const name[FIELDS] = {
        [FIELD_REPO] = "repo", [FIELD_PATH] = "path", [FIELD_TEXT] = "text",
        [FIELD_BEFORE] = "before", [FIELD_MESSAGE] = "message",
        [FIELD_AFTER] = "after", [FIELD_DIFF] = "diff",
        [FIELD_SCOPE] = "scope", [FIELD_PREFIX] = "prefix",
        [FIELD_SUFFIX] = "suffix", [FIELD_MIDDLE] = "middle"
    };

    return name[field];
}

const char *
layout_record_name(enum layout_record kind)
{
    static const char *const name[LAYOUT_RECORDS] = {
        [LAYOUT_COMMIT] = "commit", [LAYOUT_FILE] = "file",
        [LAYOUT_DOC] = "doc", [LAYOUT_CHAT] = "chat"
    };

    return name[kind];
}

void
layout_init(struct layout *l)
{
    memset(l, 0, sizeof(*l));
    buf_init(&l->bytes);
}

void
layout_release(struct layout *l)
{
    free(l->family);
    free(l->body);
    free(l->item);
    buf_release(&l->bytes);
    layout_init(l);
}

static field_set
fields_of(const struct layout *l, const struct layout_family *f,
          bool learned)
{
    const struct layout_body *b = &l->body[f->body];
    const struct layout_item *it;
    field_set found = 0;
    size_t v, i;

    for (v = 0; v < b->n; v++)
        for (i = 0; i < b->variant[v].n; i++) {
            it = &l->item[b->variant[v].first + i];
            if (it->kind == ITEM_FIELD && (it->learned || !learned))
                found |= 1u << it->of;
        }
    return found;
}

field_set
layout_uses(const struct layout *l, const struct layout_family *f)
{
    return fields_of(l, f, false);
}

field_set
layout_learns(const struct layout *l, const struct layout_family *f)
{
    return fields_of(l, f, true);
}
