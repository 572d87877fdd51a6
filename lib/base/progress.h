/* progress.h - the line on a terminal that says how far a program is.
 *
 *     progress_begin("records", 0, 0);
 *     while (...) {
 *         ...
 *         progress_part(NULL, in.at, in.size);
 *         progress_add(1);
 *     }
 *     progress_end();
 *
 * tokenize: [=======             ]  34%  12345 records, 3210/s, 0:12 left
 *
 * A program has one line; those of a pipeline stand below each other (see
 * term.h). It is shown when the work has taken half a second, at most ten
 * times a second, and only where term.h lets it: when stderr is a terminal,
 * and not with -q. Where it isn't, each call costs a comparison; where it
 * is, a look at a clock. Only for the thread that called io_start.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

/* Work of total units begins, done of them done before; 0: nobody knows how
 * many there are. unit (a plural; "bytes" are shown as MB) lives on. A line
 * that is there ends first; but the same begun again, with nothing done yet,
 * only has its clock set back, for what had to be prepared. */
void progress_begin(const char *unit, uint64_t done, uint64_t total);

/* n more units are done. */
void progress_add(uint64_t n);

/* at of `of` is done of the current unit or, where the total of units isn't
 * known, of the whole: bytes of an input, rows of an evaluation. of = 0:
 * nobody knows. doing: shown with the two, as in "evaluating 3 of 20", until
 * the unit is done; or NULL. It lives on. */
void progress_part(const char *doing, uint64_t at, uint64_t of);

/* What has come out so far, as in "loss 2.31": shown until there is another, or
 * other work begins. At most 47 bytes of it, printable ASCII. */
void progress_note(const char *text);

/* The work is over, one way or another: the line stays as it is now. */
void progress_end(void);

/* What is written to fd between the two, whole lines, stands above the line:
 * for who prints to stdout while there is one. */
void progress_hide(int fd);
void progress_show(int fd);

#endif
