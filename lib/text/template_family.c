/* template_family.c - the head of a layout file: for which records it is, what
 * is learned of them, families of tokenizers, and their tokens by role. */
#include <string.h>

#include "text/template_reader.h"

struct layout_family *
reader_last_family(struct reader *r)
{
    return &r->l->family[r->l->n_families - 1];
}

int
reader_records(struct reader *r)
{
    struct word w;
    struct nearest x;
    int rc, k;

    if (r->l->records != 0 || r->l->n_families > 0)
        return reader_fail(r, ERR_DATA, "records stands once, above the "
                           "families");
    while ((rc = reader_word(r, &w)) > 0) {
        x = nearest_to(w.p, w.n, MOST_EDITS);
        for (k = LAYOUT_COMMIT; k < LAYOUT_RECORDS; k++) {
            nearest_offer(&x, layout_record_name((enum layout_record)k));
            if (word_is(&w, layout_record_name((enum layout_record)k)))
                break;
        }
        if (k == LAYOUT_RECORDS)
            return reader_unknown(r, "kind of records", &w, &x);
        r->l->records |= 1u << k;
    }
    if (rc == 0 && r->l->records == 0)
        return reader_fail(r, ERR_DATA, "records of no kind");
    return rc;
}

int
reader_loss(struct reader *r)
{
    struct word w;
    int rc;

    if (r->loss || r->l->n_families > 0)
        return reader_fail(r, ERR_DATA, "loss stands once, above the "
                           "families");
    r->loss = true;
    rc = reader_word(r, &w);
    if (rc < 0)
        return rc;
    r->l->all = rc > 0 && word_is(&w, "all");
    if (rc == 0 || (!r->l->all && !word_is(&w, "target")))
        return reader_fail(r, ERR_DATA, "loss of what (found %.*s, expected "
                           "target or all)", rc ? (int)w.n : 7,
                           rc ? w.p : "nothing");
    return reader_line_ends(r);
}

int
reader_family(struct reader *r)
{
    struct layout *l = r->l;
    struct layout_family *f = &l->family[l->n_families];
    int rc;

    if (l->n_families == LAYOUT_MAX_FAMILIES)
        return reader_fail(r, ERR_LIMIT, "more than %d families",
                           LAYOUT_MAX_FAMILIES);
    if (l->n_families > 0 && f[-1].n_tokens == 0)
        return reader_fail(r, ERR_DATA, "family %s above has no tokens, so "
                           "no tokenizer gets to one below", f[-1].name);
    rc = reader_name(r, "family", f->name);
    for (size_t i = 0; rc == 0 && i < l->n_families; i++)
        if (strcmp(l->family[i].name, f->name) == 0)
            return reader_fail(r, ERR_DATA, "a second family %s", f->name);
    l->n_families++;
    f->body = l->n_bodies;
    r->in_body = r->ended = false;
    return rc == 0 ? reader_line_ends(r) : rc;
}

/* The number of the role, which is new if no family had it. */
static int
place_role(struct reader *r, const char *name, size_t *role)
{
    struct layout *l = r->l;

    for (*role = 0; *role < l->n_roles; ++*role)
        if (strcmp(l->role[*role], name) == 0)
            return 0;
    if (l->n_roles == LAYOUT_MAX_ROLES)
        return reader_fail(r, ERR_LIMIT, "more than %d roles of tokens",
                           LAYOUT_MAX_ROLES);
    memcpy(l->role[l->n_roles++], name, strlen(name) + 1);
    return 0;
}

int
reader_token(struct reader *r)
{
    char name[LAYOUT_MAX_NAME + 1];
    struct layout_spelling *s;
    struct word w;
    size_t role = 0;
    int rc;

    if (r->l->n_families == 0 || r->in_body)
        return reader_fail(r, ERR_DATA, "a token belongs right below a family");
    rc = reader_name(r, "token", name);
    if (rc == 0)
        rc = place_role(r, name, &role);
    if (rc == 0)
        rc = reader_word(r, &w);
    if (rc < 0)
        return rc;
    if (rc == 0 || (w.quoted && w.len == 0))
        return reader_fail(r, ERR_DATA, "token %s without its spelling", name);
    s = &reader_last_family(r)->token[role];
    if (s->len > 0)
        return reader_fail(r, ERR_DATA, "a second token %s of family %s",
                           name, reader_last_family(r)->name);
    *s = (struct layout_spelling){ w.at, w.len };
    if (!w.quoted) {
        *s = (struct layout_spelling){ (uint32_t)r->l->bytes.len,
                                       (uint32_t)w.n };
        buf_add(&r->l->bytes, w.p, w.n);
    }
    reader_last_family(r)->n_tokens++;
    return reader_line_ends(r);
}

/* The families that a role is asked of have it: the last one, whose gap it
 * is, or all of the body. */
static int
check_role(struct reader *r, size_t role)
{
    struct layout *l = r->l;
    size_t i = l->n_families - 1, body = l->family[i].body;

    while (r->in_body && i > 0 && l->family[i - 1].body == body)
        i--;
    for (; i < l->n_families; i++)
        if (l->family[i].token[role].len == 0)
            return reader_fail(r, ERR_DATA, "family %s has no token %s",
                               l->family[i].name, l->role[role]);
    return 0;
}

int
reader_role(struct reader *r, const struct word *w, uint8_t *role)
{
    struct layout *l = r->l;
    struct nearest x = nearest_to(w->p + 1, w->n - 1, MOST_EDITS);

    for (size_t i = 0; i < l->n_roles; i++) {
        nearest_offer(&x, l->role[i]);
        if (w->n - 1 == strlen(l->role[i])
            && memcmp(l->role[i], w->p + 1, w->n - 1) == 0) {
            *role = (uint8_t)i;
            return check_role(r, i);
        }
    }
    return reader_unknown(r, "token", w, &x);
}
