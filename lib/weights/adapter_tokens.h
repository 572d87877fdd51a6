/* adapter_tokens.h - rows of an embedding that are trained beside an adapter,
 * those of some tokens: PEFT's trainable_token_indices.
 *
 * The config has a list of ids, which are the input embedding's, or an object
 * of such lists by modules' names, whose ends count. The rows take the place
 * of the weight's, and of a head's that is the embedding; they are in
 *   base_model.model.MODULE.token_adapter.trainable_tokens_delta [n, dim]
 * in the order of the list (peft/tuners/trainable_tokens/layer.py). An untied
 * head may have rows of its own.
 */
#ifndef WEIGHTS_ADAPTER_TOKENS_H
#define WEIGHTS_ADAPTER_TOKENS_H

#include "base/json.h"
#include "model/prog.h"
#include "weights/adapter.h"

#define ADAPTER_TOKENS_SUFFIX ".token_adapter.trainable_tokens_delta"

/* Adds ids first to last of the module that key names (NULL: the embedding),
 * for adapter_tokens_release; they are in no order yet. */
void adapter_tokens_add(struct adapter *a, const char *key, int32_t first,
                        int32_t last);

/* Ids rise from now on, with their rows where there are some. ERR_DATA for
 * one that is there twice. */
int adapter_tokens_sort(struct adapter *a, struct err *e);
void adapter_tokens_release(struct adapter *a);

/* Of a config's value. ERR_DATA naming what is no id. */
int adapter_tokens_config(struct adapter *a, const cJSON *value,
                          struct err *e);

/* Whose rows the tensor of that name (without the prefix) is, not yet one
 * with rows; NULL: it is none such. */
struct adapter_tokens *adapter_tokens_of(const struct adapter *a,
                                         const char *tensor);

/* Of an adapter that was read: all have rows, but for one that has the same
 * ids as another. ERR_DATA naming it. */
int adapter_tokens_check(const struct adapter *a, struct err *e);

/* Each is of the embedding of d or of its head, which may have no rows where
 * the two are one; ids are d's, and rows are of its size. ERR_DATA; ERR_USAGE
 * beside modules_to_save of either. */
int adapter_tokens_match(const struct adapter *a, const struct model_desc *d,
                         struct err *e);

/* Sets token and n_tokens of the modules that have some (adapter_tokens_match
 * holds), which borrow a's. */
void adapter_tokens_select(struct lora_part *parts, const struct adapter *a,
                           const struct model_desc *d);

/* The rows of module m of d; NULL: it has none. */
const struct adapter_tokens *adapter_tokens_find(const struct adapter *a,
                                                 const struct model_desc *d,
                                                 const struct module *m);

#endif
