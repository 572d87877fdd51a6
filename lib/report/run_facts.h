/* run_facts.h - what a run directory says of its run, and the set it learned
 * from, where that is still there.
 */
#ifndef REPORT_RUN_FACTS_H
#define REPORT_RUN_FACTS_H

#include "base/json.h"
#include "record/card_facts.h"
#include "report/metrics.h"
#include "report/score_file.h"

struct run_facts {
    char *path;
    char *name;      /* what tells it from the others: the end of its path */
    cJSON *config;   /* config.json */
    cJSON *manifest; /* NULL: the run is not complete */
    cJSON *adapter;  /* adapter_config.json; NULL where there is none */
    cJSON *profile;  /* profile.json; NULL where there is none */
    struct metrics metrics;
    struct score_file **score; /* those that are of this run */
    size_t n_scores;
    size_t data; /* its place among the sets; NO_SET where it was not found */
};

#define NO_SET ((size_t)-1)

/* A set that a run learned from, with its numbers. */
struct set_facts {
    char *path;
    struct manifest manifest;
    struct card_facts *facts; /* NULL: not counted yet */
};

/* Reads the run at path; *r is released in any case. ERR_DATA where it is none
 * or a file of it is damaged; no more than a note, in the page, where its
 * metrics are. */
int run_facts_read(struct run_facts *r, const char *path, struct err *e);
void run_facts_release(struct run_facts *r);

/* A member of its config: of "identity", "options", "machine" or "plan"; NULL
 * where it isn't there or null. */
const cJSON *run_get(const struct run_facts *r, const char *part,
                     const char *name);

/* That as a text or number: fallback where it is none. */
const char *run_text(const struct run_facts *r, const char *part,
                     const char *name, const char *fallback);
double run_number(const struct run_facts *r, const char *part,
                  const char *name, double fallback);

/* The rows of its profile, at most PROFILE_ROWS of them, the longest first; 0
 * where there is none. What is no number is NAN, what is no text "". */
#define PROFILE_ROWS 256
struct profile_line {
    const char *phase, *op;
    double runs, seconds, share; /* share: of the steps' time */
    double flops, bytes;         /* a second */
    double of_peak;
};
size_t run_profile(struct profile_line out[PROFILE_ROWS],
                   const struct run_facts *r);

/* A number of its profile; NAN where there is none. */
double run_profile_number(const struct run_facts *r, const char *name);

/* Steps that it was to take, 0 where it doesn't say. */
uint64_t run_steps(const struct run_facts *r);

/* The paths at which the set or base of that option may be: as the option has
 * it, and, where the run was moved together with it, beside the run. *out
 * holds up to two; the caller frees them. */
size_t run_places(const struct run_facts *r, const char *option,
                  char *out[2]);

/* Opens and counts the set at path if its content is that of the id (64 hex
 * digits). *found tells; no set there, or another, is no error. */
int set_facts_read(struct set_facts *s, const char *path, const char *id,
                   bool *found, struct err *e);
void set_facts_release(struct set_facts *s);

#endif
