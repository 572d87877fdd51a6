/* similar.h - how much of a file is in another one, as git estimates it.
 *
 * A file is cut into chunks, lines of up to 64 bytes, of which only hashes
 * and how many bytes had them are kept, the same hashes as git's, so that the
 * same files count as renamed. Private to lib/repo.
 */
#ifndef REPO_SIMILAR_H
#define REPO_SIMILAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIMILAR_MAX 60000u             /* as alike as can be */
#define SIMILAR_LEAST 30000u           /* half of the larger one is common */
#define SIMILAR_LEAST_SAME_NAME 45000u /* where the last names are the same */

struct chunk {
    uint32_t hash, n_bytes;
};

struct chunks {
    struct chunk *chunk; /* by rising hash; NULL until chunks_make */
    size_t n;
    uint64_t size;       /* of the file */
};

/* What making them needs; zero it before its first use. */
struct chunker {
    uint32_t *n_bytes; /* by hash; all 0 between calls */
    uint32_t *seen;
};

void chunker_release(struct chunker *k);

/* Sets *out, the caller's to release. */
void chunks_make(struct chunker *k, const char *p, size_t n,
                 struct chunks *out);
void chunks_release(struct chunks *c);

/* Whether files of these sizes can reach SIMILAR_LEAST. */
bool similar_sizes(uint64_t a, uint64_t b);

/* 0 to SIMILAR_MAX; neither file is empty. */
unsigned similar_files(const struct chunks *a, const struct chunks *b);

#endif
