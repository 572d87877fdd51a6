/* module_pattern.h - how PEFT says which modules it means. */
#ifndef WEIGHTS_MODULE_PATTERN_H
#define WEIGHTS_MODULE_PATTERN_H

#include <stdbool.h>

#include "base/err.h"

/* A name of a list (target_modules, exclude_modules): a module is meant by
 * its whole name, or by the end of it that begins after a dot. */
bool module_is_named(const char *module, const char *name);

/* A module of an expert whose weight transformers has in one parameter with
 * those of all others, EXPERTS.N.gate_proj, up_proj or down_proj: *out = that
 * parameter's name, EXPERTS.gate_up_proj or EXPERTS.down_proj. False for any
 * other module, also Mixtral's, whose names PEFT translates by itself. */
bool module_parameter(char out[128], const char *module);

/* Whether it is an end of such a parameter's name: a target of PEFT's
 * target_parameters, and of no module. */
bool names_parameter(const char *target);

/* A string in place of a list is a pattern: it has to match all of the
 * module's name. ERR_DATA for one that is none, or that takes too long. */
int module_matches(bool *found, const char *pattern, const char *module,
                   struct err *e);

/* A key of rank_pattern or alpha_pattern is a pattern of a name's end, which
 * begins after a dot: PEFT's (.*\.)?(KEY)$. Failure as above. */
int module_ends(bool *found, const char *pattern, const char *module,
                struct err *e);

#endif
