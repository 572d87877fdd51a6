/* weights_source.h - what is behind an opened base; private to weights*.c. */
#ifndef WEIGHTS_WEIGHTS_SOURCE_H
#define WEIGHTS_WEIGHTS_SOURCE_H

#include "stream/set.h"
#include "tensor/gguf.h"
#include "tensor/modeldir.h"
#include "weights/weights.h"

struct weights_source {
    struct modeldir dir; /* one of the three is in use */
    struct set *set;
    struct gguf gguf;
    void **copy; /* tensors that were not aligned in their file, or paired */
    size_t n_copies;
    char **name; /* of tensors that have another one in their file */
    size_t n_names;
    size_t cap;  /* of item */
};

/* Appends a tensor, copied if its data is not aligned; paired data is copied
 * by weights_ready. */
int weights_add(struct weights *w, struct weight *t, struct err *e);

/* w frees copy, of so many bytes of tensors. */
void weights_own(struct weights *w, void *copy, uint64_t bytes);
void weights_add_asset(struct weights *w, const char *name, const void *data,
                       size_t n);

/* The item that has `other` for a name's end, where the name ends so; NULL if
 * it does not, or there is none. */
struct weight *weights_beside(const struct weights *w, const char *name,
                              const char *end, const char *other);

/* gone[w->n]: these are items no more; the others keep their order. */
void weights_leave(struct weights *w, const bool *gone);

/* Fill w, whose path and source are there, from a set, from a GGUF file. */
int weights_open_set(struct weights *w, struct err *e);
int weights_open_gguf(struct weights *w, struct err *e);

/* Where row i of t is (a vector's are its elements), and its bytes. */
const void *weights_row(const struct weight *t, uint64_t i, size_t *bytes);

#endif
