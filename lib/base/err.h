/* err.h - how a function of the library says what went wrong.
 *
 * A function that can fail returns 0 or a negative err_code and describes the
 * failure in a caller's struct err. Minus the code is the exit status of the
 * program, so nothing is translated on the way up. The text is one line,
 * "where: what (found X, expected Y)", without the program's name.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
    ERR_IO = -1,      /* I/O or internal error, a file that is not there */
    ERR_USAGE = -2,   /* wrong use of a program */
    ERR_SKIPPED = -3, /* finished, some input was skipped (--keep-going) */
    ERR_DATA = -4,    /* invalid, truncated or corrupt input */
    ERR_LIMIT = -5,   /* a limit was exceeded */
    ERR_EXISTS = -6,  /* output exists or is locked */
    ERR_AGAIN = -75   /* checkpointed on request: run again */
};

struct err {
    int code; /* 0 or an enum err_code */
    char text[1024];
};

/* Sets *e and returns code. Control characters in the formatted text are
 * escaped as \xHH (a newline as \n), so the message stays one line. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(errno) appended. */
int err_errno(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* text into out[cap] with control characters and bytes that are not UTF-8
 * escaped; what does not fit is cut off. */
void err_escape(char *out, size_t cap, const char *text);

/* Puts "prefix: " in front of the text of *e; returns e->code. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
