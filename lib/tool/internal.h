/* internal.h - between the files of lib/tool; private to it. */
#ifndef TOOL_INTERNAL_H
#define TOOL_INTERNAL_H

#include "tool/tool.h"

/* Fills *opts from defaults, then the run file, then the command line. Never
 * returns after --help and --version (0) or wrong use (one line, exit 2; a
 * bad run file exits with its own code). */
void tool_start(const struct tool *t, void *opts, struct args *args,
                int argc, char **argv);

/* rc 0 or more: checks that all of stdout was written and gives the exit
 * status; negative: prints "NAME: TEXT" and gives -rc. */
int tool_end(int rc, const struct err *e);

/* The options that every program has, after its own. */
extern const struct opt tool_common[];

/* Makes o's value what it is when nobody sets it: false, 0, NULL, empty.
 * value_clear: one that was set before, and is released. */
void value_init(const struct opt *o, void *opts);
void value_clear(const struct opt *o, void *opts);

/* Sets o's value from text; ERR_USAGE "--NAME: bad value ...". */
int value_parse(const struct opt *o, void *opts, const char *text,
                struct err *e);

/* One more item of a list: n bytes, copied. */
void value_add_item(struct opt_list *list, const char *text, size_t n);

/* The value as one would type it, appended; nothing for an absent one. */
void value_format(const struct opt *o, const void *opts, struct buf *out);

/* Choice i of "a|b|c" and its length; NULL past the last. */
const char *choice_at(const char *choices, size_t i, size_t *n);

/* The option of that name among the table's and the common ones; *nearest is
 * the closest spelling when there is none, or NULL. */
const struct opt *opt_find(const struct tool *t, const char *name, size_t n,
                           const char **nearest);

bool opt_is_common(const struct opt *o);
size_t opt_count(const struct tool *t); /* of the table, without common */

/* Everything between a command line and *opts, *args (which has room for
 * all operands). ERR_USAGE, or a run file's own code. */
int parse_line(const struct tool *t, void *opts, struct args *args, int argc,
               char **argv, struct err *e);

/* Acts on a common option. value: after "=", or NULL. --help and --version
 * print and exit. */
int common_apply(const struct tool *t, const struct opt *o,
                 const char *value, struct args *args, struct err *e);

void version_print(const struct tool *t);
void help_print(const struct tool *t, const char *called);
void help_man(const struct tool *t);
void help_completion(const struct tool *t);

/* Reads a JSON run file into opts. */
int config_read(const struct tool *t, void *opts, struct args *args,
                const char *path, struct err *e);

#endif
