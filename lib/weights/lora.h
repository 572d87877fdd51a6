/* lora.h - between a program's parameters and an adapter on disk. */
#ifndef WEIGHTS_LORA_H
#define WEIGHTS_LORA_H

#include "model/prog.h"
#include "weights/adapter.h"

/* Sets method and lora of *o to what the adapter's modules need or, where it
 * has none yet, to what its targets, patterns and modules to save give each
 * module of d; its dropout is the caller's to take or to leave. *parts is
 * o->lora, the caller's to free after the programs were built. ERR_USAGE, of
 * an adapter without modules, for a name or a pattern that no module matches,
 * or that is no pattern; ERR_DATA for a module that d has not. */
int lora_opts(struct prog_opts *o, const struct adapter *a,
              const struct model_desc *d, struct lora_part **parts,
              struct err *e);

/* PEFT's fan_in_fan_out for a base of this family, as transformers has it: a
 * GGUF file stores weights of every family alike. */
bool lora_fan_in_fan_out(const struct model_desc *d);

/* Copies the adapter's tensors into the program's parameters. ERR_DATA when
 * a module of either has no partner in the other. */
int lora_load(struct exec *x, const struct adapter *a, struct err *e);

/* Writes the program's parameters as a PEFT adapter directory. meta is the
 * adapter as the run knows it (without targets they are the modules' own
 * names); its items are not used. */
int lora_save(const struct exec *x, const struct adapter *meta,
              const char *dir, struct err *e);

#endif
