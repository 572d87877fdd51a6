/* html.h - the smallest parts of a page: text that is nothing but text, and
 * numbers that stand below each other. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <math.h>

#include "base/buf.h"

/* Appends p[n], which may be anything, as text of an element or an attribute:
 * nothing of it is markup, and what can't be seen is spelled (visible.h). Cut
 * after max bytes. */
void html_cut(struct buf *b, const char *p, size_t n, size_t max);

/* A name or a word: no more than 200 bytes of it. NULL is a dash. */
void html_text(struct buf *b, const char *s);

/* The same, but lines and tabs stay: for <pre>. */
void html_pre(struct buf *b, const char *p, size_t n);

/* As 12,345. */
void html_count(struct buf *b, uint64_t n);

/* With so many decimals; a minus that is one; a dash for what is no number,
 * powers of ten for what is too long. */
void html_number(struct buf *b, double v, int decimals);

/* With n significant digits or, for numbers of more, without a fraction. */
void html_digits(struct buf *b, double v, int n);

/* Seconds as 12 s, 3 min 20 s, 5 h 07 min. */
void html_time(struct buf *b, double seconds);

/* A multiple of 1024 bytes: 196.2 MiB. */
void html_bytes(struct buf *b, double bytes);

/* <td>s of a table. */
void html_td(struct buf *b, const char *text);
void html_td_count(struct buf *b, uint64_t n);
void html_td_number(struct buf *b, double v, int decimals);

/* An id of which the first characters tell enough: the whole is its title. */
void html_id(struct buf *b, const char *id);

#endif
