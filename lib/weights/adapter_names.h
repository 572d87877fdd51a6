/* adapter_names.h - what PEFT calls the tensors of a module; private to
 * adapter*.c. */
#ifndef WEIGHTS_ADAPTER_NAMES_H
#define WEIGHTS_ADAPTER_NAMES_H

#define PREFIX "base_model.model."
#define SUFFIX_A ".lora_A.weight"
#define SUFFIX_B ".lora_B.weight"
#define SUFFIX_MAGNITUDE ".lora_magnitude_vector"

#endif
