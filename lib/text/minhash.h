/* minhash.h - how alike two sets of shingles are, by sketches of them.
 *
 * The measure is Jaccard's: of the shingles that either set has, the part
 * that both have. A sketch of a set is two things.
 *
 * Its least hashes, MINHASH_LEAST of them ("bottom-k sketch": Broder 1997;
 * Cohen and Kaplan 2007). Where a set has no more, they are the set, and the
 * similarity of two such sets is exact. Where one has more, the least ones of
 * the union are a sample of it without replacement: the standard error is
 * sqrt(J (1 - J) / 256) at most, 0.029 at 0.7.
 *
 * And 128 bins, each of which holds the same in both sketches with
 * probability J, by which the candidates are found ("Fast Similarity
 * Sketching": Dahlgaard, Knudsen, Thorup, FOCS 2017). Each round hashes every
 * shingle into one bin, and the least value stays there; the first round that
 * reached a bin decides, and from round 128 on a round is of one bin, so all
 * are filled in the end. It costs one round of a large set and some 640
 * hashes of the smallest, and the bins are as good as those of 128 hash
 * functions (one-permutation hashing leaves bins empty instead).
 *
 * Rows of bins are put together to bands: two sets are a candidate pair where
 * a band is the same, which has the probability 1 - (1 - J^rows)^bands.
 */
#ifndef TEXT_MINHASH_H
#define TEXT_MINHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MINHASH_BINS 128
#define MINHASH_LEAST 256
#define MINHASH_ROOM 4096

struct banding {
    unsigned rows, bands; /* rows * bands <= MINHASH_BINS */
};

/* The most rows with which a pair of that similarity, in (0, 1], is missed
 * less than once in a thousand; as many bands as there is room for. */
struct banding minhash_banding(double similarity);

/* The probability that a pair of that similarity shares no band. */
double minhash_miss(struct banding b, double similarity);

struct sketch {
    uint32_t least[MINHASH_LEAST]; /* ascending, each once */
    uint32_t n_least;
    bool whole;                    /* they are the set */
    uint32_t band[MINHASH_BINS];   /* bands of them: a hash of each */
};

/* What a sketch is made in; reuse it from set to set. */
struct minhash {
    uint64_t bin[MINHASH_BINS];
    uint64_t hash[MINHASH_ROOM]; /* the least ones so far, in any order */
    size_t n;
    uint64_t limit; /* those over it are none of the least */
    bool cut;       /* some were left out for it */
};

void minhash_begin(struct minhash *m);

/* One more of the set; one that is there already changes nothing. */
void minhash_add(struct minhash *m, uint64_t shingle);

/* The sketch of what was added, one shingle at least. */
void minhash_end(struct minhash *m, struct banding b, struct sketch *out);

/* The similarity of two sets by their least hashes (little-endian, as they
 * are stored) a[n_a] and b[n_b], n > 0, each ascending; whole: they are all of
 * the set. */
double minhash_similarity(const void *a, size_t n_a, bool whole_a,
                          const void *b, size_t n_b, bool whole_b);

#endif
