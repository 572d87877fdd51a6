/* adapter_config.h - reads PEFT's adapter_config.json; private to adapter*.c.
 *
 * Every key of LoraConfig is a row of a table: obeyed, or refused by name if
 * it is set to something else than what is implemented, or of a wrong type.
 * A key that is not among them must not be set.
 */
#ifndef WEIGHTS_ADAPTER_CONFIG_H
#define WEIGHTS_ADAPTER_CONFIG_H

#include "base/json.h"
#include "weights/adapter.h"

#define ADAPTER_MAX_RANK 65536

/* What the config says of an adapter but its modules. ERR_DATA naming the
 * key; what *a has then is for adapter_release. */
int adapter_config_keys(struct adapter *a, const cJSON *root, struct err *e);

/* ERR_DATA for a module that PEFT would leave out, so that its matrices had
 * no effect: one that target_modules, exclude_modules or layers_to_transform
 * don't select. */
int adapter_config_selects(const cJSON *root, const char *module,
                           struct err *e);

#endif
