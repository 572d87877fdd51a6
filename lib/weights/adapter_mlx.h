/* adapter_mlx.h - mlx-lm's adapter directory: its config, and writing it.
 *
 * adapters.safetensors is laid out as adapter_layout.h says; of
 * adapter_config.json mlx-lm's loader (mlx_lm/tuner/utils.py) reads
 *   fine_tune_type    "lora" or "dora"
 *   num_layers        of the base's last layers; below 1: all
 *   lora_parameters   rank, scale, dropout, and keys: modules by their name
 *                     in a layer, or by their whole name, which num_layers
 *                     doesn't limit; none: all linears
 * There is one rank, and one scale, which B A is multiplied by as it is.
 */
#ifndef WEIGHTS_ADAPTER_MLX_H
#define WEIGHTS_ADAPTER_MLX_H

#include "base/json.h"
#include "weights/adapter.h"

#define ADAPTER_MLX_WEIGHTS "adapters.safetensors"

/* Whether dir holds mlx-lm's file of tensors, and not PEFT's. */
bool adapter_is_mlx(const char *dir);

/* The functions of the layout (adapter_layout.h). Keys that say how the
 * adapter was trained are not looked at. */
int adapter_mlx_config(struct adapter *a, const cJSON *root, struct err *e);
int adapter_mlx_selects(const cJSON *root, const char *module,
                        struct err *e);
int adapter_mlx_settle(struct adapter *a, const cJSON *root, struct err *e);

/* Writes both files into dir; matrices are of dtype, F32, F16 or BF16. Where
 * scales differ, B is multiplied by what a module's is beyond the one written.
 * n_layers: of the base; 0: not known. ERR_USAGE, naming the module, where
 * ranks differ; ERR_DATA for a value that is too great for dtype. */
int adapter_mlx_write(const struct adapter *a, uint32_t n_layers,
                      enum dtype dtype, const char *dir, struct err *e);

#endif
