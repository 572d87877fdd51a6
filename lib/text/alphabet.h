/* alphabet.h - how byte-level tokenizers spell bytes: each byte is a
 * printable character. 21-7E, A1-AC and AE-FF stand for themselves, the
 * others in order are U+0100, U+0101, ... */
#ifndef TEXT_ALPHABET_H
#define TEXT_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The character that stands for the byte. */
uint32_t alphabet_code(uint8_t byte);

/* Appends p[n] spelled out, as UTF-8. */
void alphabet_spell(struct buf *b, const void *p, size_t n);

/* Appends the bytes that valid UTF-8 text[n] spells; false, b as before,
 * when a character stands for none. */
bool alphabet_read(struct buf *b, const char *text, size_t n);

#endif
