/* hex.h - bytes as hexadecimal digits, two each, and back. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* p[n] as 2 n lower-case digits and a NUL; returns out. */
char *hex_put(char *out, const uint8_t *p, size_t n);

/* Reads out[n] from 2 n digits, with capitals of either case, else of lower
 * case. False, out untouched, if one is no digit. */
bool hex_take(uint8_t *out, size_t n, const char *hex, bool capitals);

#endif
