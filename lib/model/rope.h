/* rope.h - the rotary settings of a config.json as a table of inverse
 * frequencies; private to lib/model. */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include "base/json.h"
#include "model/family.h"

/* Fills r[MODEL_ROPES] from root, a config.json of family f, of whose keys c
 * has been read: of the types default, linear, llama3 and yarn, or, with
 * f->long_rope, of default and longrope, as transformers 5 computes them. The
 * settings are those of rope_scaling, or of rope_parameters where that is not
 * there. With f->local_rope they are there for each type of layers,
 * full_attention first, and rope_scaling is the first's alone. ERR_DATA for
 * another type, by name, and for settings that give no finite frequencies. */
int ropes_read(struct rope_desc r[MODEL_ROPES], cJSON *root,
               const struct family *f, const struct config *c,
               struct err *e);

/* The object of a config.json that holds rotary settings; NULL: none. */
const cJSON *rope_holder(const cJSON *root);

#endif
