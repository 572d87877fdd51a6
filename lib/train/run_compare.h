/* run_compare.h - a run that is there against the one that is asked for;
 * private to lib/train. */
#ifndef TRAIN_RUN_COMPARE_H
#define TRAIN_RUN_COMPARE_H

#include "train/rundir.h"

/* Compares the run's config.json with what is wanted: 0, or what rundir_open
 * gives for another identity or machine. */
int run_compare(const char *run, const char *identity, const char *rest,
                struct run_taking how, struct err *e);

#endif
