/* ledger.h - what was left out on the way, and why: PROGRAM REASON COUNT.
 *
 * Every filter hands on the ledger of its input and adds its own lines, so
 * the last trailer tells what became of everything that went in. Lines stay
 * in the order in which they were first added. Limit: 4096 lines; a count
 * that would need one more goes to the line "graft other".
 */
#ifndef STREAM_LEDGER_H
#define STREAM_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#define LEDGER_MAX 4096

struct ledger_line {
    char *program, *reason; /* [A-Za-z0-9_.-]+, at most 64 bytes each */
    uint64_t count;
};

struct ledger {
    struct ledger_line *line;
    size_t n;
};

void ledger_init(struct ledger *l);
void ledger_release(struct ledger *l);

/* Adds count to the line of (program, reason), which is made if need be. A
 * count of 0 makes no line. A byte that a ledger can't hold becomes '-'. */
void ledger_add(struct ledger *l, const char *program, const char *reason,
                uint64_t count);
void ledger_add_all(struct ledger *l, const struct ledger *from);

/* The count, 0 without a line. */
uint64_t ledger_get(const struct ledger *l, const char *program,
                    const char *reason);

#endif
