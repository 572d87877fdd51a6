/* log.h - messages to people, on stderr.
 *
 * One line each: "PROGRAM: TEXT", control characters escaped. The program's
 * name and the verbosity are set once, by tool_start.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

void log_setup(const char *program, int verbosity); /* -1 quiet 0 1 verbose */
const char *log_program(void);
int log_verbosity(void);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Warnings go to take(ctx, text) from now on, and not to stderr; NULL: to
 * stderr again. */
void log_take_warnings(void (*take)(void *ctx, const char *text), void *ctx);

/* Summary lines, shown unless -q; details, shown with -v. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
