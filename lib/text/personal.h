/* personal.h - whether what looks like a person's number or address is one,
 * and not an example, a version or a machine that everybody knows.
 */
#ifndef TEXT_PERSONAL_H
#define TEXT_PERSONAL_H

#include <stdbool.h>
#include <stddef.h>

/* Shannon's entropy of p[n], in bits a byte; 0 of nothing. */
double entropy_bits(const char *p, size_t n);

/* What to look at: line[at, end) of a line of n bytes. */
struct personal {
    const char *line;
    size_t n, at, end;
};

/* Whether the candidate is one that has to go. */
typedef bool personal_check(const struct personal *c);

/* 13 to 19 digits with blanks or dashes between them, of which Luhn's sum is
 * right (ISO/IEC 7812-1, annex B), that begin as an issuer's do; without
 * separators only where the line speaks of cards; but for the numbers that
 * payment services publish for tests. */
personal_check personal_card;

/* Of the length that its country has, and 1 modulo 97 (ISO 13616). */
personal_check personal_iban;

/* An address that is routed: not private, loopback, multicast, of the
 * documentation or reserved (RFC 6890), no public resolver, no example of four
 * digits (1.2.3.4); and no version: four numbers below 32, or any on a line
 * that says "version", where it doesn't speak of hosts or addresses. */
personal_check personal_ipv4;

/* Global unicast (2000::/3) without documentation and public resolvers. */
personal_check personal_ipv6;

/* An address of mail: not of example.com and other reserved domains, no
 * noreply, no name of a file or unit, no git@. */
personal_check personal_mail;

/* 10 to 15 digits, not 555-01xx, not one digit alone; in one piece only where
 * the line speaks of telephones. */
personal_check personal_phone;

/* The check of that name ("card", ...), or NULL; the name of number i, or
 * NULL behind the last. */
personal_check *personal_find(const char *name);
const char *personal_name(size_t i);

#endif
