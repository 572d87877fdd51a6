/* gguf_rows.h - the keys of a GGUF file that describe a model, to be read and
 * to be written; private to gguf_*.c.
 *
 * A row says which number of a struct config a key is; what the family calls
 * it in its config.json, the family's own table says. So an architecture is a
 * line of gguf_config.c, once its family is there.
 */
#ifndef WEIGHTS_GGUF_ROWS_H
#define WEIGHTS_GGUF_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/family.h"

#define FIELD(name) offsetof(struct config, name)

/* A key below the architecture's name, and the field that it fills. */
struct gguf_row {
    const char *key; /* NULL ends a table */
    size_t field;    /* of struct config */
    bool real;       /* or a whole number */
    bool required;
};

extern const struct gguf_row gguf_rows[];

/* The epsilon's key, by the kind of norm. */
extern const struct gguf_row gguf_eps_rows[];

/* Numbers of the families that have them. */
extern const struct gguf_row gguf_own[];

/* The family's key for that field, or NULL. */
const struct key *gguf_family_key(const struct family *f, size_t field);

#endif
