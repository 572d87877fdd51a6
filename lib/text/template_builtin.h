/* template_builtin.h - the layouts that are built in: templates/embed.sh makes
 * the table when the programs are built.
 */
#ifndef TEXT_TEMPLATE_BUILTIN_H
#define TEXT_TEMPLATE_BUILTIN_H

#include <stddef.h>

struct builtin_template {
    const char *name, *text; /* of the file; NULL behind the last */
};

/* By name, in order. */
extern const struct builtin_template builtin_template[];

/* The text of that name, or NULL. */
const char *template_builtin(const char *name);

#endif
