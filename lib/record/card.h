/* card.h - the data card of a shard set: what it was made of, what was left
 * out, what is in it, and what to know before it is given to others.
 *
 * Markdown, laid out as the Hub of Hugging Face expects a dataset card
 * (huggingface/hub-docs, datasetcard.md): YAML between two lines of three
 * dashes, then sections. It says what the manifest and the records say, and
 * "not recorded" for the rest; the same set gives the same bytes, wherever it
 * lies.
 */
#ifndef RECORD_CARD_H
#define RECORD_CARD_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the card of the set in a directory, reading all of its records;
 * memory does not grow with them, but for 30 bytes an author, a million at
 * most. What is no set of text or tokens is ERR_USAGE. */
int card_make(struct buf *b, const char *dir, struct err *e);

#endif
