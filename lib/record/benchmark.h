/* benchmark.h - the texts of a benchmark's file, to be kept out of data. */
#ifndef RECORD_BENCHMARK_H
#define RECORD_BENCHMARK_H

#include "base/hash.h"
#include "text/overlap.h"

#define BENCHMARK_MAX ((size_t)256 << 20) /* bytes, unpacked */

struct benchmark {
    uint64_t lines, texts; /* with something in them; strings looked for */
    uint64_t shorter;      /* strings that are too short for it */
    struct id id;          /* of the file as it is */
};

/* Adds every string of the JSON lines in path, keys aside, to o, as from file
 * number `file` and the line (from 1): of HumanEval prompt, solution and
 * tests, of MBPP text, code and assertions. The file may be gzip's. ERR_IO,
 * ERR_DATA, ERR_LIMIT. */
int benchmark_read(struct benchmark *b, struct overlap *o, uint32_t file,
                   const char *path, struct err *e);

#endif
