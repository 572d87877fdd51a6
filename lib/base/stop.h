/* stop.h - being asked by a signal to stop, and doing so at a good place.
 *
 * A program that can put its work away asks stop_asked() wherever it could
 * end without loss, returns ERR_AGAIN from there, and ends with stop_end().
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

/* Milliseconds within which what comes after a request is the same one:
 * timeout, make and terminals send a signal to a process and to its group. */
#define STOP_AGAIN 500

/* From now on SIGINT, SIGTERM, SIGHUP, SIGUSR1, and SIGPIPE (the reader of
 * what is printed has gone) are requests to stop, unless they are ignored.
 * A second request, STOP_AGAIN after the first, ends the process at once,
 * temporaries removed; further SIGPIPEs are no requests. */
void stop_catch(void);

/* The signal that asked, or 0. */
int stop_asked(void);

/* The request was met: from now on there was none. */
void stop_forget(void);

/* What a request's signal does to a process, after the work was put away: a
 * shell sees it. Returns for SIGUSR1, with which schedulers ask for the exit
 * code 75, and when nothing asked. */
void stop_end(void);

#endif
