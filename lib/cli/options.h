/* options.h - option rows that several programs have.
 *
 * Each names what these programs agree on. The row of a program adds the
 * place of the value in its own struct, and what it alone says:
 *
 *     { BASE_OPTION, AT(base) },
 *     { TOKENIZER_OPTION, AT(tokenizer), .help = "to take ids from" },
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "tool/tool.h"

/* const char * */
#define BASE_OPTION \
    .name = "base", .type = OPT_STRING, .arg = "BASE", .required = true, \
    .help = "base model: a Hugging Face directory, a set of weights or a " \
            "GGUF file"

/* const char *; the row has the help */
#define TOKENIZER_OPTION \
    .name = "tokenizer", .letter = 't', .type = OPT_STRING, .arg = "FILE"

/* uint64_t, for par_set_threads; the row has the help */
#define THREADS_OPTION \
    .name = "threads", .type = OPT_U64, .arg = "N", .def = "0", .max = 1024

/* int, an enum tokens_loss of record/tokens.h; the row has the help */
#define LOSS_OPTION \
    .name = "loss", .type = OPT_CHOICE, .output = true, .arg = "WHAT", \
    .def = "auto", .choices = "auto|target|all"

/* bool, of a program that exits 3 when input was left out; the row has the
 * help */
#define KEEP_GOING_OPTION \
    .name = "keep-going", .letter = 'k', .type = OPT_FLAG, .output = true

#endif
