/* scan_sizes.h - the sizes of families of scans; private to lib/model. */
#ifndef MODEL_SCAN_SIZES_H
#define MODEL_SCAN_SIZES_H

#include "model/family.h"

/* Of a family whose layers are scans, all or some: fills in the inner columns,
 * which are a multiple of the model's, the step's rank and bounds, and checks
 * that they fit. root: the config.json. ERR_DATA by a key's name. */
int scan_sizes(struct config *c, const struct family *f, const cJSON *root,
               struct err *e);

#endif
