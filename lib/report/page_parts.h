/* page_parts.h - what the sections of the page share; private to lib/report. */
#ifndef REPORT_PAGE_PARTS_H
#define REPORT_PAGE_PARTS_H

#include "report/html.h"
#include "report/report.h"

extern const char page_style[]; /* page_style.c: the CSS */

/* A note, for what is missing or damaged: <p class=note>. */
void page_note(struct buf *b, const char *text);

/* The runs' colours, where there are several: the key of the figures. */
void page_key(struct buf *b, const struct report *r);

/* What a run trained, in words: "LoRA, rank 16". */
void page_method(struct buf *b, const struct run_facts *r);

/* What the repositories of a set are called; "" where it doesn't say. */
void page_set_name(struct buf *b, const struct set_facts *s);

/* The last part of a path. */
const char *page_base_name(const char *path);

/* What was measured, of the object that has it, and whether that is the run's,
 * where there is one. */
void page_models(struct buf *b, const struct run_facts *run,
                 const cJSON *models);

/* ---- page_strata.c: parts of a score, of the objects that have them ---- */

/* The losses of records of a kind: of each language, repository and age. */
void page_strata(struct buf *b, const cJSON *summary);

/* How often each kind of check held, and pass@k. */
void page_checks(struct buf *b, const cJSON *prompts);

/* How many held-out records were completed as they are. */
void page_exactness(struct buf *b, const cJSON *exactness);

/* ---- the sections, in their order ---- */

void page_summary(struct buf *b, const struct report *r);
void page_training(struct buf *b, const struct report *r);
void page_scores(struct buf *b, const struct report *r);
void page_samples(struct buf *b, const struct report *r);
void page_data(struct buf *b, const struct report *r);
void page_memory(struct buf *b, const struct report *r);
void page_time(struct buf *b, const struct report *r);
void page_provenance(struct buf *b, const struct report *r);
void page_options(struct buf *b, const struct report *r);

#endif
