/* adapter_saved.h - modules that are trained in full beside an adapter: PEFT's
 * modules_to_save.
 *
 * A module is meant by the end of its name, whatever that begins after, as
 * PEFT has it: norm means input_layernorm, too. Where head and embedding are
 * one (tie_word_embeddings), one that is saved becomes a matrix of its own
 * and leaves the other as the base has it, unless ensure_weight_tying keeps
 * them one; then PEFT saves that under both names.
 */
#ifndef WEIGHTS_ADAPTER_SAVED_H
#define WEIGHTS_ADAPTER_SAVED_H

#include "weights/adapter.h"

/* Whether modules_to_save means the module of that name. */
bool adapter_saves(const struct adapter *a, const char *module);

/* MODULE of MODULE.weight or MODULE.bias, where it is one that is saved, or
 * may be as the other name of a tied one; NULL else. To be freed. */
char *adapter_saved_module(const struct adapter *a, const char *tensor);

/* Of an adapter that was read: each name has tensors, and no module that is
 * saved has matrices, too. ERR_DATA naming it. */
int adapter_check_saved(const struct adapter *a, struct err *e);

/* Whether head and embedding of d, which are one, are two with a. */
bool adapter_unties(const struct adapter *a, const struct model_desc *d);

/* Of an adapter that was read, after d was untied where it has to be: each of
 * its tensors is one of d, of that shape, and each module has all that are
 * its own. ERR_DATA naming the tensor. */
int adapter_match_saved(const struct adapter *a, const struct model_desc *d,
                        struct err *e);

/* whole[module of d] = whether it is saved, of an adapter that has names
 * alone. ERR_USAGE for a name that means no module with weights, or one that
 * holds others; and where d can't be saved so that transformers reads it. */
int adapter_select_saved(bool *whole, const struct adapter *a,
                         const struct model_desc *d, struct err *e);

/* The adapter's tensor of that name; NULL: it has none. */
const struct adapter_tensor *adapter_saved(const struct adapter *a,
                                           const char *tensor);

#endif
