/* score_file.h - what evalprompts wrote (schemas/score.schema.json): its
 * summary, and the completions that are worth a look.
 *
 * Members that are not known are kept in the summary, and lines of kinds that
 * are not known are counted.
 */
#ifndef REPORT_SCORE_FILE_H
#define REPORT_SCORE_FILE_H

#include "base/json.h"
#include "base/map.h"

#define SCORE_PROMPTS 4096      /* whose completions are kept */
#define SCORE_SAMPLE_BYTES 4000 /* of a completion; the rest is counted */
#define SCORE_PROMPT_BYTES 2000 /* of the end of a prompt */

/* What base and adapter made of a prompt; a side that isn't there is NULL. */
struct score_sample {
    char *id;
    char *prompt; /* its end, of a conversation with who said what; NULL: the
                     file does not have it */
    bool prompt_cut;
    struct score_side {
        char *text;
        size_t n, left_out; /* bytes */
        char passed;        /* 'y', 'n', or '-': it has no check */
        char *why;          /* it failed; NULL: the file doesn't say */
    } base, adapter;
};

struct score_file {
    char *path;
    cJSON *summary; /* NULL: evalprompts did not come to its end */
    struct score_sample *sample; /* those that passed with one side alone
                                    first, else in the file's order */
    size_t n_samples, cap;
    struct map ids;
    uint64_t more;            /* completions beyond SCORE_PROMPTS */
    uint64_t records, others; /* lines */
};

/* Whether path is a file, so no run. */
bool score_file_is(const char *path);

/* Reads it; *s is released in any case. ERR_DATA "FILE: line N: ..." for what
 * is no JSON lines, and where there is neither a summary nor a completion. */
int score_file_read(struct score_file *s, const char *path, struct err *e);
void score_file_release(struct score_file *s);

/* What is below a value (the summary, say, which may be NULL) by its names,
 * parted by dots, as in "all.base"; "" is itself. NULL where there is nothing.
 */
const cJSON *score_get(const cJSON *from, const char *names);

/* That as a number, NAN where it is none. */
double score_number(const cJSON *from, const char *names);

#endif
