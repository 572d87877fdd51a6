/* nearest.c - the distance of Levenshtein, a row of its table at a time. */
#include "base/nearest.h"

#include <string.h>

#define MAX_NAME 63

/* Edits that make b of a[n]. */
static size_t
distance(const char *a, size_t n, const char *b)
{
    size_t m = strlen(b), row[MAX_NAME + 1];

    if (m > MAX_NAME || n > MAX_NAME)
        return NEAREST_FAR;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

struct nearest
nearest_to(const char *wanted, size_t n, size_t most)
{
    return (struct nearest){
        .wanted = wanted, .n_wanted = n, .edits = most + 1
    };
}

void
nearest_offer(struct nearest *x, const char *name)
{
    size_t edits = distance(x->wanted, x->n_wanted, name);

    if (edits < x->edits) {
        x->edits = edits;
        x->name = name;
    }
}
