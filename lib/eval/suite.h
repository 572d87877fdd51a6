/* suite.h - the files of published suites, as they are published, as lines of
 * a prompt file.
 *
 * humaneval: HumanEval.jsonl (Chen et al., Evaluating Large Language Models
 * Trained on Code, arXiv 2107.03374). The prompt is gone on from as it is,
 * its last newline too; a completion ends at the paper's stop strings; prompt
 * and completion are tested.
 *
 * mbpp: mbpp.jsonl (Austin et al., Program Synthesis with Large Language
 * Models, arXiv 2108.07732). Tasks 11 to 510 are the paper's test; each
 * prompt shows tasks 2, 3 and 4 first, in the format of the data's README;
 * the completion alone is tested, by all of test_list.
 */
#ifndef EVAL_SUITE_H
#define EVAL_SUITE_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum suite_kind { SUITE_NONE, SUITE_HUMANEVAL, SUITE_MBPP };

#define SUITE_KINDS "prompts|humaneval|mbpp" /* as an option's choices */
#define SUITE_MAX_TOKENS 512

struct suite {
    enum suite_kind kind;
    struct buf shots; /* of mbpp: the examples before every task, */
    int n_shots;      /* and how many they are so far */
};

void suite_init(struct suite *s, enum suite_kind kind);
void suite_release(struct suite *s);

/* Makes of a line of the suite one of a prompt file: 1, *o is replaced; 0
 * where the line is no prompt, being an example or of another split. A member
 * that isn't there, or is of another type, is ERR_DATA, and so is a task
 * before the examples. where is the message's prefix. */
int suite_line(struct suite *s, cJSON **o, const char *where,
               struct err *e);

#endif
