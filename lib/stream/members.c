/* members.c - objects by a table of their members: what is not in the table,
 * or not in its order, is refused by name. */
#include "stream/members.h"

#include <string.h>

#include "base/mem.h"

int
member_string(struct member_reader *r)
{
    return json_string(&r->j, &r->text, r->e);
}

int
member_u64(struct member_reader *r, uint64_t *v)
{
    return json_u64(&r->j, v, r->e);
}

int
member_id(struct member_reader *r, struct id *id)
{
    int rc = member_string(r);

    if (rc == 0 && !id_parse(id, r->text.data, r->text.len))
        rc = json_error(&r->j, r->e, "found \"%s\", expected %d hex digits",
                        r->text.data, ID_HEX);
    return rc;
}

static int
read_member(struct member_reader *r, const struct member *m, void *into)
{
    void *at = (char *)into + m->offset;
    int rc;

    switch (m->kind) {
    case MEMBER_U64:
        return member_u64(r, at);
    case MEMBER_ID:
        return member_id(r, at);
    case MEMBER_STRING:
        rc = member_string(r);
        if (rc == 0)
            *(char **)at = mem_strdup(r->text.data);
        return rc;
    default:
        return m->fn(r, into);
    }
}

int
members_read(struct member_reader *r, const struct member *table, size_t n,
             void *into)
{
    size_t i = 0;
    int rc = json_enter_object(&r->j, r->e);

    for (; rc == 0 && json_next_key(&r->j, &r->key); i++) {
        while (i < n && table[i].optional
               && strcmp(table[i].name, r->key.data) != 0)
            i++;
        if (i == n || strcmp(table[i].name, r->key.data) != 0)
            return json_error(&r->j, r->e, "found key %s, expected %s",
                              r->key.data, i < n ? table[i].name : "none");
        rc = read_member(r, &table[i], into);
    }
    if (rc == 0 && i < n)
        return json_error(&r->j, r->e, "no key %s", table[i].name);
    return rc;
}
