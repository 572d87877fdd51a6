/* overlap.h - runs of tokens that texts are not to have: those of a benchmark.
 *
 * As in appendix C of Brown et al., "Language Models are Few-Shot Learners"
 * (2020): what has a run of 13 tokens in common with a benchmark overlaps it,
 * and of a shorter text, of 8 tokens at least, all of it is the run. Tokens
 * are those of shingles.h; capital letters count. Runs of numbers alone are
 * passed over: 1 to 13 comes in any table.
 */
#ifndef TEXT_OVERLAP_H
#define TEXT_OVERLAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVERLAP_MOST 13
#define OVERLAP_LEAST 8

/* Where a run is from. */
struct overlap_at {
    uint32_t file, line;
};

struct overlap_slot {
    uint64_t hash; /* 0: free */
    struct overlap_at at;
};

struct overlap {
    struct overlap_slot *slot;
    size_t n, n_slots;            /* a power of two */
    bool length[OVERLAP_MOST + 1]; /* there is a run of that many tokens */
};

void overlap_init(struct overlap *o);
void overlap_release(struct overlap *o);

/* No text may have what p[n] has. False: it is too short to be looked for.
 * Where a run comes twice, it is from the first place. */
bool overlap_add(struct overlap *o, const char *p, size_t n,
                 struct overlap_at at);

/* Whether the text p[n] has one of the runs; *at: the first, of the longest,
 * that it has. */
bool overlap_find(const struct overlap *o, const char *p, size_t n,
                  struct overlap_at *at);

#endif
