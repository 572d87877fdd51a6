/* lora.h - between a program's parameters and an adapter on disk. */
#ifndef WEIGHTS_LORA_H
#define WEIGHTS_LORA_H

#include "model/prog.h"
#include "weights/adapter.h"

/* Sets method, rank, alpha and targets of *o to what the adapter needs; its
 * dropout is the caller's to take or to leave. The strings stay the
 * adapter's; *targets is the caller's to free. */
void lora_opts(struct prog_opts *o, const struct adapter *a,
               const char ***targets);

/* What lora_save writes beside the matrices: rank and targets of *o, alpha
 * and dropout as they were typed, the base's name. Strings are borrowed. */
struct adapter lora_meta(const struct prog_opts *o,
                         const struct model_desc *d, double alpha,
                         double dropout, const char *base);

/* Copies the adapter's matrices into the program's parameters. ERR_DATA when
 * a module of either has no partner in the other. */
int lora_load(struct exec *x, const struct adapter *a, struct err *e);

/* Writes the program's parameters as a PEFT adapter directory. meta names
 * the base and the targets as the run knows them (without targets they are
 * the modules' own names); its items are not used. */
int lora_save(const struct exec *x, const struct adapter *meta,
              const char *dir, struct err *e);

#endif
