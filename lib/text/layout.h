/* layout.h - a layout as it was read from its file: what stands between the
 * fields of a record, for each family of tokenizers. man/man5/
 * graft-template.5 has the language, templates/ the layouts that are built
 * in.
 *
 * A layout is families of tokenizers, each with its special tokens by role;
 * families in a row share a body. A body is variants (one, if it names
 * none), a variant is items: tokens, text and fields, each on conditions,
 * each of the target or not.
 *
 * Limits: a file 64 KiB, 64 families, 32 roles, 8 variants of a body, 4,096
 * items, a name 32 bytes.
 */
#ifndef TEXT_LAYOUT_H
#define TEXT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"

#define LAYOUT_MAX_FILE (64u << 10)
#define LAYOUT_MAX_FAMILIES 64
#define LAYOUT_MAX_ROLES 32
#define LAYOUT_MAX_VARIANTS 8
#define LAYOUT_MAX_ITEMS 4096
#define LAYOUT_MAX_NAME 32

enum template_field {
    FIELD_ALWAYS, /* no field */
    FIELD_REPO, FIELD_PATH, FIELD_TEXT, FIELD_BEFORE, FIELD_MESSAGE,
    FIELD_AFTER, FIELD_DIFF,
    FIELD_SCOPE, /* the line that names the function around a hunk */
    FIELD_PREFIX, FIELD_SUFFIX, FIELD_MIDDLE, FIELDS
};

/* "repo" and so on; NULL for FIELD_ALWAYS. */
const char *field_name(enum template_field field);

/* The kinds of records, as record/text.h numbers them. */
enum layout_record {
    LAYOUT_COMMIT = 1, LAYOUT_FILE, LAYOUT_DOC, LAYOUT_CHAT, LAYOUT_RECORDS
};

const char *layout_record_name(enum layout_record kind);

enum item_kind {
    ITEM_TOKEN, ITEM_TEXT, ITEM_FIELD, ITEM_APART, ITEM_WITHIN, ITEM_END
};

/* Fields, one bit each: 1 << enum template_field. */
typedef uint32_t field_set;

struct layout_item {
    uint8_t kind;
    uint8_t of;        /* the field, or the token's role */
    bool learned;
    field_set present, absent; /* the item is there if these fields are, and
                                  those are not */
    uint32_t at, len;  /* a text, in layout.bytes */
};

struct layout_variant {
    char name[LAYOUT_MAX_NAME + 1]; /* "" if it has none */
    size_t first, n;                /* items */
};

struct layout_body {
    struct layout_variant variant[LAYOUT_MAX_VARIANTS];
    size_t n;
};

/* A token's spelling, in layout.bytes. */
struct layout_spelling {
    uint32_t at, len; /* len 0: the family has no token of the role */
};

struct layout_family {
    char name[LAYOUT_MAX_NAME + 1];
    struct layout_spelling token[LAYOUT_MAX_ROLES];
    size_t n_tokens;
    size_t gap, n_gap; /* items that stand where lines are left out */
    size_t body;
};

struct layout {
    struct id id;           /* of the file's bytes */
    uint32_t records;       /* bits 1 << enum layout_record */
    bool all;               /* what is learned where nothing else is said: all
                               of a record, not its target alone */
    struct layout_family *family;
    struct layout_body *body;
    struct layout_item *item;
    size_t n_families, n_bodies, n_items;
    char role[LAYOUT_MAX_ROLES][LAYOUT_MAX_NAME + 1];
    size_t n_roles;
    struct buf bytes;
};

void layout_init(struct layout *l);
void layout_release(struct layout *l);

/* The fields that the family's body has as items; those of them that it
 * learns. */
field_set layout_uses(const struct layout *l, const struct layout_family *f);
field_set layout_learns(const struct layout *l,
                        const struct layout_family *f);

#endif
