/* complete_prompts.h - a file of prompts, completed several at a time. */
#ifndef CLI_COMPLETE_PROMPTS_H
#define CLI_COMPLETE_PROMPTS_H

#include "base/io.h"
#include "cli/speaker.h"

/* Completes the prompts of the file at path ("-": stdin), up to batch of them
 * side by side, and writes a JSON line for each, in their order:
 *
 *     {"id": ..., "completion": ..., "finish": "end"|"stop"|"length",
 *      "prompt_tokens": N, "tokens": N}
 *
 * with "adapter", its name or null, where s has any, and "context", what stands
 * before the prompt, where there may be any. All prompts are read and
 * encoded before the first is completed: ERR_DATA and ERR_LIMIT name one that
 * can't be. */
int complete_prompts(struct speaker *s, const char *path, uint32_t batch,
                     struct out *out, struct err *e);

#endif
