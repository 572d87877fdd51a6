/* rundir.h - the directory of a training run.
 *
 *   config.json     identity (what decides the result), options (all of
 *                   them, resolved), machine
 *   metrics.jsonl   a line a logged step, a line an evaluation
 *   adapter/        PEFT's two files; with full training model/ instead
 *   checkpoints/    see checkpoint.h
 *   manifest.json   the run is complete: ids of its files, its identity
 *   profile.json    where the time of its steps went, if that was asked for
 */
#ifndef TRAIN_RUNDIR_H
#define TRAIN_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "train/trainer.h"
#include "weights/adapter.h"

struct rundir {
    char *path;
    struct run_keys keys; /* of the identity */
    struct buf config;    /* of a run that is extended, until rundir_begin:
                             its config.json; empty otherwise */
    FILE *metrics;
};

/* What was found at path. */
enum run_found {
    RUN_NEW,      /* nothing, or an empty directory */
    RUN_STARTED,  /* same identity, not complete */
    RUN_COMPLETE  /* same identity, complete */
};

/* How a started run is to be taken up. */
enum run_resume {
    RUN_NOT_RESUMED,
    RUN_RESUMED,         /* where the arithmetic is the same */
    RUN_RESUMED_ANYWHERE
};

struct run_taking {
    enum run_resume resume;
    bool extend; /* it may have been shorter */
};

/* Whether a run has been begun at path: what rundir_open finds there is then
 * not new. */
bool rundir_begun(const char *path);

/* Makes or finds the run at path and locks it. identity and rest are JSON
 * members without braces: identity decides the result; rest holds options
 * and machine, whose arithmetic and version decide the bits. Not resumed, a
 * started run is ERR_EXISTS, and so is any of another identity; resumed,
 * another identity is ERR_DATA, another machine ERR_USAGE. The message names
 * the first key that differs.
 * To be extended, a run may differ in steps, epochs, tokens and run_steps, of
 * which there have to be more, ERR_USAGE: then it is a started one of the new
 * identity, complete or not, to which its checkpoints belong; in the directory
 * it is what it was until rundir_begin.
 * On failure *r is released. */
int rundir_open(struct rundir *r, const char *path, const char *identity,
                const char *rest, struct run_taking how,
                enum run_found *found, struct err *e);
void rundir_release(struct rundir *r);

/* What rundir_open would find there, or fail with, but for the lock: nothing is
 * touched. ERR_EXISTS, too, where something else than a run is at path. */
int rundir_look(const char *path, const char *identity, const char *rest,
                struct run_taking how, enum run_found *found,
                struct err *e);

/* The run goes on from now: one that is extended is not complete any more, and
 * its config.json says what it is to become. */
int rundir_begin(struct rundir *r, struct err *e);

/* Opens metrics.jsonl for appending after what s counts of it; the rest
 * goes. ERR_DATA when the file is shorter than that. */
int rundir_metrics(struct rundir *r, const struct train_state *s,
                   struct err *e);

/* Appends a line and flushes it; *size is then the file's length. */
int rundir_log(struct rundir *r, const char *line, uint64_t *size,
               struct err *e);

/* The lines so far are on the disk. */
int rundir_sync(struct rundir *r, struct err *e);

/* Writes what was trained: adapter/ (meta as in lora_save) or, for full
 * training, model/ with the base's assets. */
int rundir_save(const struct rundir *r, const struct trainer *t,
                const struct adapter *meta, struct err *e);

/* Writes manifest.json: the run is complete. */
int rundir_complete(const struct rundir *r, const struct trainer *t,
                    struct err *e);

/* What rundir_verify found. */
struct run_report {
    bool complete;
    size_t checkpoints; /* good ones */
    uint64_t step;      /* of the newest of them */
    long holder;        /* of a run that isn't complete: the process that is
                         * at it, 0 for none (dir_holder) */
};

/* Checks a run: manifest.json against its check and the files that it names,
 * its key against the identity in config.json, and every checkpoint. ERR_DATA
 * names the first that differs. That a run isn't complete is no failure: it
 * is checked as far as it is there, and the report tells. */
int rundir_verify(struct run_report *r, const char *path, struct err *e);

/* Which base the adapter of that directory (adapter_find) was trained on:
 * where that is in a run, *found and *base, its content id. Adapters from
 * elsewhere don't tell. ERR_DATA for a run's config.json that is none. */
int rundir_base(struct id *base, bool *found, const char *adapter,
                struct err *e);

/* What a run that isn't complete is: a run without its manifest is a part of
 * one, whatever it holds. Returns ERR_DATA, which says how far it came. */
int rundir_incomplete(const struct run_report *r, const char *path,
                      struct err *e);

#endif
