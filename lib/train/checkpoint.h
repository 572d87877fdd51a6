/* checkpoint.h - the state of a training run between two steps.
 *
 * RUN/checkpoints/step-N/ holds
 *   state.safetensors  params, and m and v with AdamW, and Muon's m in front
 *                      of AdamW's: the flat vectors, F32;
 *                      of moments in 8 bits m8 and v8, U8, and their blocks'
 *                      m_scale and v_scale, F32 (struct prog has them all)
 *   state.json         struct train_state
 *   manifest.json      length and id of the two, written last
 * The directory is built beside its name, synced and renamed, so one that is
 * there is whole or damaged later; reading verifies it and falls back to the
 * one before.
 */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <stdint.h>

#include "base/hash.h"
#include "data/packer.h"
#include "model/prog.h"
#include "train/spike.h"
#include "train/trend.h"
#include "train/validation.h"

/* Everything of a run that isn't a parameter or a moment. */
struct train_state {
    uint64_t step;       /* steps done, skipped ones too */
    uint64_t updates;    /* steps that moved the parameters: AdamW's t */
    uint64_t tokens;     /* positions trained on, padding not counted */
    uint64_t supervised; /* of these, with a loss */
    uint64_t skipped;    /* steps left out: not finite, or no loss at all */
    uint64_t bad;        /* of these, not finite */
    uint64_t bad_row;    /* in a row, up to the last step */
    uint64_t metrics;    /* bytes of metrics.jsonl up to here */
    uint64_t evaluated;  /* 1 + step of its last evaluation; 0: none */
    uint64_t line_supervised; /* tokens with a loss since its last line */
    double line_loss;    /* sum of their losses */
    double line_z_loss;  /* and of their z-losses */
    double line_balance; /* and of their experts' load-balancing losses */
    struct cursor_row cursor;
    struct validation val;
    struct spikes spikes;
    struct trend trend;
};

/* What one takes on the disk, bytes, but for some hundreds of text. */
uint64_t checkpoint_bytes(const struct prog *p);

/* What identifies a run, and what did while it had fewer steps. */
struct run_keys {
    struct id now, *before;
    size_t n_before;
};

void run_keys_add(struct run_keys *k, const struct id *before);
bool run_keys_has(const struct run_keys *k, const struct id *key);
void run_keys_release(struct run_keys *k);

/* Which checkpoints stay: the newest so many, and that of a step. */
struct checkpoint_keep {
    uint32_t newest; /* at least 1 */
    uint64_t step;   /* 0: none */
};

/* Writes checkpoints/step-N below run, in the place of one that is there, and
 * removes all but those to keep. key identifies data, base and options: what a
 * resumed run must share. */
int checkpoint_write(const char *run, const struct train_state *s,
                     const struct exec *x, const struct id *key,
                     const struct checkpoint_keep *keep, struct err *e);

/* Reads the parameters alone of the checkpoint after that step, which has to
 * be there and whole. */
int checkpoint_params(const char *run, uint64_t step, struct exec *x,
                      struct err *e);

/* Reads the newest good checkpoint below run into *s and the program's
 * memory; warns of damaged ones that it passes over. 1: found; 0: there is
 * none at all, nothing touched; ERR_DATA when all are damaged or the newest
 * good one has another key. One of the run when it was shorter is not over,
 * however its evaluations were. */
int checkpoint_read(const char *run, struct train_state *s, struct exec *x,
                    const struct run_keys *keys, struct err *e);

/* Checks every checkpoint below run against its manifest, its name and the
 * run's keys; ERR_DATA names the first that is not as it should be. *n of
 * them are good, the newest of which is after *step steps. One that goes
 * away meanwhile, as those of a run that goes on do, is none. */
int checkpoints_verify(const char *run, const struct run_keys *keys,
                       size_t *n, uint64_t *step, struct err *e);

#endif
