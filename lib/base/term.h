/* term.h - the rows at the foot of a terminal that several programs share.
 *
 * The programs of a pipeline, or of two, know one thing together: the
 * terminal that their messages go to. So what they agree on is kept there,
 * as record locks on the device itself, which need no file, are seen by
 * every process and end with the one that holds them. Each program with a
 * row holds a byte; the order of the bytes is that of the rows, and the
 * number of the bytes is that of the rows. One more byte is held by who
 * moves the cursor, for as long as that takes. The cursor rests in the last
 * row, behind its text.
 *
 * A message is put above the rows: they are erased, the message is printed,
 * room is made for as many rows, and each program draws its own anew when it
 * has something to tell, which is ten times a second while it works.
 *
 * Nothing is drawn while the terminal belongs to somebody else: to a process
 * group in the foreground that isn't ours, to an editor or pager (which turn
 * line mode off), to a program that prints data there, to who has stopped
 * its output with ^S. A program that is stopped (SIGTSTP) gives its row up
 * and takes a new one when it goes on.
 *
 * Limits: 16 rows. What other programs print among two rows or more can be
 * drawn over; above a single row it stays. Only for the thread that called
 * io_start.
 */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include <stdbool.h>
#include <stddef.h>

/* type: the terminal's, as TERM has it. NULL, "" and "dumb" can't move the
 * cursor: there will be no rows, and everything below does nothing. */
void term_setup(const char *type);

/* Whether fd is a terminal that rows can be on. */
bool term_is(int fd);

/* Shows text[n] (printable ASCII, no newline) as this program's row on
 * stderr's terminal, cut to its width, if it can be shown now. */
void term_row(const char *text, size_t n);

/* The columns that a row on stderr may have. */
size_t term_columns(void);

/* Ends this program's row; what it showed last stays above the others'. Safe
 * in a signal handler and when there is none. */
void term_leave(void);

/* What the caller writes to fd between the two, whole lines, stands above
 * the rows. For other files than terminals they do nothing. */
void term_hide(int fd);
void term_show(int fd);

/* Before bytes that need not be whole lines are written to fd: nobody shows
 * a row on that terminal until this program has ended or is stopped. */
void term_data(int fd);

#endif
