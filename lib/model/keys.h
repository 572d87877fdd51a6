/* keys.h - the keys of a JSON object that another program wrote, as a table.
 *
 * A row says of a key which type and range it has, what it is when it is
 * absent, and which double of a struct holds it. A value of another type is
 * an error, never taken for something near it: a setting is obeyed or
 * refused by name.
 */
#ifndef MODEL_KEYS_H
#define MODEL_KEYS_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

enum key_kind {
    KEY_FREE,  /* any value: nothing depends on it, or it is read elsewhere */
    KEY_COUNT, /* a whole number in [min, max] */
    KEY_REAL,  /* a number in [min, max] */
    KEY_DROP,  /* a probability, of a dropout: KEY_REAL in [0, 1] */
    KEY_BOOL,
    KEY_WORD,  /* a string of words; stored is the word's value */
    KEY_TEXT,  /* a string; not stored */
    KEY_IDS,   /* a token id (or -1) or a list of them; not stored */
    KEY_OBJECT, /* not stored */
    KEY_OFF,   /* not implemented: false, {} or []; not stored */
    KEY_ON     /* not implemented unless true; not stored */
};

/* What KEY_ALIAS says: absent, it leaves the field to the row before it. */
enum { KEY_NULL = 1, KEY_ALIAS = 2, KEY_REQUIRED = 4 };

struct key_word {
    const char *word; /* NULL ends a list */
    double value;
};

struct key {
    const char *name; /* NULL ends a table */
    unsigned char kind;
    unsigned char flags; /* KEY_NULL: null is accepted, stored as `none` */
    size_t offset;       /* of a double */
    double def, min, max;
    const struct key_word *words;
    double none;
};

/* The row of that name, or NULL. */
const struct key *key_find(const struct key *table, const char *name);

/* Reads every key of the table that root, an object, has, and sets the others
 * to their default; fields may be NULL where a table stores nothing. ERR_DATA
 * "KEY (found VALUE, expected TYPE)". */
int keys_read(void *fields, const struct key *table, const cJSON *root,
              struct err *e);

/* The double of a row. */
double key_value(const void *fields, const struct key *k);

/* ERR_DATA "KEY (found VALUE, expected ...)" with the text of v, cut short;
 * NULL: "nothing". */
int key_error(const char *name, const cJSON *v, struct err *e,
              const char *expected, ...)
    __attribute__((format(printf, 4, 5)));

#endif
