/* health.h - how the machine does while a run works on it: load, memory,
 * temperature, throttling, as far as the system shows them; and what is to be
 * done when one is over its bound. */
#ifndef TRAIN_HEALTH_H
#define TRAIN_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum health_what {
    HEALTH_TEMPERATURE, /* degrees Celsius, of the hottest sensor of
                           /sys/class/thermal and /sys/class/hwmon */
    HEALTH_LOAD,        /* runnable processes of the last minute, a
                           processor: /proc/loadavg */
    HEALTH_MEMORY,      /* bytes that may still become resident (room.h) */
    HEALTH_THROTTLED,   /* times that a core was slowed down for its heat since
                           the machine was started, of all cores */
    HEALTH_COUNT
};

struct health {
    double value[HEALTH_COUNT]; /* NAN: the system doesn't show it */
};

/* root is put before /proc and /sys: "" but in tests. */
void health_look(struct health *h, const char *root);

/* Appends an object with what is there: "temperature", "load", "free_bytes",
 * "throttled". */
void health_json(const struct health *h, struct buf *b);

/* In the order of their weight. */
enum health_action { HEALTH_FINE, HEALTH_WARN, HEALTH_PAUSE, HEALTH_STOP };

/* A bound: of the memory a lower one, of throttling how often it may come
 * while the run goes on, of the others an upper one. */
struct health_rule {
    uint8_t what, action;
    double bound;
};

/* Reads NAME=BOUND:ACTION, as temperature=85:pause, load=4:warn, memory=500M:
 * stop, throttled=0:warn. ERR_USAGE for anything else, and for a pause whose
 * end would never come: throttled only grows. */
int health_rule_read(struct health_rule *r, const char *text, struct err *e);

/* The name of what the rule bounds, where the system doesn't show it: it is of
 * no effect. Otherwise NULL. */
const char *health_unseen(const struct health_rule *r,
                          const struct health *h);

#define HEALTH_COOLER 5 /* degrees below its bound, where a pause ends */

/* The weightiest action of the rules that are broken, first being the look
 * when the run began; why, of cap bytes, gets the fact. A value that isn't
 * there breaks no rule. paused: a bound of the temperature that pauses is
 * broken until it is HEALTH_COOLER below. */
enum health_action health_check(const struct health_rule *r, size_t n,
                                const struct health *now,
                                const struct health *first, bool paused,
                                char *why, size_t cap);

#endif
