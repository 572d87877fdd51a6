/* tensors.h - the lists of a description: its modules, and their tensors.
 * Private to desc.c and tensors.c. */
#ifndef MODEL_TENSORS_H
#define MODEL_TENSORS_H

#include "model/family.h"

/* d->module, from the family's rows; d's numbers and layers are there. */
void list_modules(struct model_desc *d, const struct config *c);

/* d->tensor, from d->module and d->tied; again after one has changed. */
void list_tensors(struct model_desc *d);

#endif
