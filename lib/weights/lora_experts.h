/* lora_experts.h - what an adapter of experts has to be for PEFT. */
#ifndef WEIGHTS_LORA_EXPERTS_H
#define WEIGHTS_LORA_EXPERTS_H

#include "model/prog.h"
#include "weights/adapter.h"

/* PEFT reads adapters of single experts into one of all of them
 * (peft/utils/transformers_weight_conversion.py), which has no DoRA and no
 * dropout, whose rank is twice the adapter's where it is of gate and up, so
 * that rsLoRA would scale it otherwise, and which rank and alpha patterns do
 * not reach: so of experts there are adapters of all layers' or none, of gate
 * and up together, of the adapter's own rank and alpha. ERR_USAGE, naming a
 * module, where parts, by index of d->module, are others; pissa: they begin
 * with the base's singular values, which are not made of experts. */
int lora_check_experts(const struct lora_part *parts, const struct adapter *a,
                       bool pissa, const struct model_desc *d,
                       struct err *e);

#endif
