/* roles.h - what a role is: one row for each.
 *
 * A row says of which shape the role's module is, and what its weight is for
 * and begins as. Whoever lists modules or tensors reads these rows and knows
 * no role by name.
 */
#ifndef MODEL_ROLES_H
#define MODEL_ROLES_H

#include "model/desc.h"

struct role_info {
    const char *name; /* what people are told, "q" */
    bool in_layer; /* layers have it (layer_kind.h says which), named below
                      the layer's prefix */
    bool top;      /* named beside the family's body, not below it */
    bool each;     /* of an expert: a layer has one for each, in whose name its
                      number stands */
    bool residual; /* its output is added to the layer's input */
    bool bare;     /* its weight is named as the module is */
    bool spread;   /* its matrix is stored [out, 1, in] */
    uint8_t flags; /* of its weight: enum tensor_flag */
    uint8_t init;  /* enum init_rule; INIT_ZEROS: as its flags say */
    uint8_t scan_init, bias_init; /* the same of weight and bias, where the
                      family's scans begin as Mamba's do */

    /* Columns of the module, in and out; in NULL: the weight is a vector. */
    uint32_t (*in)(const struct model_desc *d, const struct layer_desc *y);
    uint32_t (*out)(const struct model_desc *d, const struct layer_desc *y);
};

/* The row of a role below ROLE_COUNT. */
const struct role_info *role_info(unsigned role);

#endif
