/* config.h - whether a repository's configuration lets it be read. */
#ifndef REPO_CONFIG_H
#define REPO_CONFIG_H

#include "base/err.h"
#include "repo/place.h"

/* Reads p->common's config. ERR_DATA if it names a format or an extension
 * that is unknown, or includes another file and is not trusted. Sets
 * p->partial. */
int config_judge(struct place *p, struct err *e);

#endif
