/* lora_experts.h - what an adapter of experts has to be for PEFT. */
#ifndef WEIGHTS_LORA_EXPERTS_H
#define WEIGHTS_LORA_EXPERTS_H

#include "model/prog.h"
#include "weights/adapter.h"

/* PEFT reads adapters of single experts into one of all of them
 * (peft/utils/transformers_weight_conversion.py), which has no DoRA and no
 * dropout, whose rank is twice the adapter's where it is of gate and up, so
 * that rsLoRA would scale it otherwise, and which rank and alpha patterns do
 * not reach. It looks for that of gate and up inside that of down, and leaves
 * it out where there is no such: so of experts there are adapters of all
 * layers' or none, of gate and up together and with down, of the adapter's own
 * rank and alpha. ERR_USAGE, naming a
 * module, where parts, by index of d->module, are others; pissa: they begin
 * with the base's singular values, which are not made of experts. */
int lora_check_experts(const struct lora_part *parts, const struct adapter *a,
                       bool pissa, const struct model_desc *d,
                       struct err *e);

/* Whether target is the name of the parameter that transformers keeps the
 * expert's module in, or its end from "experts." on. */
bool lora_names_expert(const char *module, const char *target);

/* Whether PEFT makes adapters of the module, be it by such a name. */
bool lora_reaches(const struct model_desc *d, const struct module *m);

#endif
