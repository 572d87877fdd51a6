/* fuzz.h - what the libFuzzer targets share.
 *
 * A target takes any bytes and must neither crash nor take long; what it
 * finds to be untrue it says by MUST, which ends it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(what) \
    ((what) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #what))

static inline void
fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
