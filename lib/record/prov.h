/* prov.h - lines of provenance: "PROGRAM VERSION NAME=VALUE...", where VALUE
 * is a word of base/word.h.
 *
 * The lines of a stream are chains, one or more: first the programs that
 * brought data in, its sources, then those that all of it went through. So a
 * set of two repositories tells whether both were scrubbed: then they are
 * sources of one chain, else there are two. Sources that went through nothing
 * come last.
 */
#ifndef RECORD_PROV_H
#define RECORD_PROV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "stream/head.h"

/* The source of what came without any, among others that have one. */
#define PROV_UNKNOWN "not-recorded"

/* Room that sources of a set may take; later ones are PROV_UNKNOWN. */
#define PROV_BYTES (256u << 10)

/* The length of the first word. */
size_t prov_program(const char *line);
bool prov_is_of(const char *line, const char *program);

/* Whether the line is that of a source. */
bool prov_is_source(const char *line);

/* Appends the value of an option. False where the line has no such option, or
 * is NULL. */
bool prov_option(const char *line, const char *name, struct buf *b);

/* The last line that is the program's, or NULL. */
const char *prov_last(const struct stream_head *h, const char *program);

/* Lines [begin, end) of a head, the first of which, up to `tail`, are
 * sources. */
struct prov_chain {
    size_t begin, tail, end;
};

/* The next chain; *c is zeroed at first. False where there is none. */
bool prov_next(const struct stream_head *h, struct prov_chain *c);

/* Adds the chains of a stream to those that *to has, each source once. */
void prov_join(struct stream_head *to, const struct stream_head *from);

#endif
