/* health.c - files of /proc and /sys, and bounds of what they say. */
#include "train/health.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/room.h"

static const struct {
    const char *name, *member, *unit;
} whats[HEALTH_COUNT] = {
    [HEALTH_TEMPERATURE] = { "temperature", "temperature", " degrees" },
    [HEALTH_LOAD] = { "load", "load", "" },
    [HEALTH_MEMORY] = { "memory", "free_bytes", " bytes" },
    [HEALTH_THROTTLED] = { "throttled", "throttled", " times" },
};

static const char *const actions[] = {
    [HEALTH_WARN] = "warn", [HEALTH_PAUSE] = "pause", [HEALTH_STOP] = "stop"
};

/* The number that a file begins with; NAN without one. */
static double
read_number(const char *path)
{
    FILE *f = fopen(path, "re");
    double v;

    if (f == NULL)
        return NAN;
    if (fscanf(f, "%lf", &v) != 1)
        v = NAN;
    fclose(f);
    return v;
}

/* Calls add with the number of each file that the pattern means. */
static void
each_number(const char *root, const char *pattern,
            void (*add)(double *to, double v), double *to)
{
    struct buf b;
    glob_t g;

    buf_init(&b);
    buf_addf(&b, "%s%s", root, pattern);
    if (glob(b.data, GLOB_NOSORT, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            double v = read_number(g.gl_pathv[i]);

            if (isfinite(v))
                add(to, v);
        }
        globfree(&g);
    }
    buf_release(&b);
}

/* Sensors that are not connected say 0, -1 or some hundreds of degrees. */
static void
add_hottest(double *to, double millidegrees)
{
    double v = millidegrees / 1000;

    if (v > 0 && v < 150)
        *to = isnan(*to) ? v : fmax(*to, v);
}

static void
add_count(double *to, double v)
{
    *to = isnan(*to) ? v : *to + v;
}

void
health_look(struct health *h, const char *root)
{
    double *v = h->value;
    struct room room;
    struct buf b;

    for (int i = 0; i < HEALTH_COUNT; i++)
        v[i] = NAN;
    buf_init(&b);
    buf_addf(&b, "%s/proc/loadavg", root);
    v[HEALTH_LOAD] = read_number(b.data)
                     / (double)sysconf(_SC_NPROCESSORS_ONLN);
    buf_release(&b);
    each_number(root, "/sys/class/thermal/thermal_zone*/temp", add_hottest,
                &v[HEALTH_TEMPERATURE]);
    each_number(root, "/sys/class/hwmon/hwmon*/temp*_input", add_hottest,
                &v[HEALTH_TEMPERATURE]);
    each_number(root, "/sys/devices/system/cpu/cpu*/thermal_throttle/"
                "core_throttle_count", add_count, &v[HEALTH_THROTTLED]);
    room_measure(&room, root);
    if (room.resident.bytes != UINT64_MAX)
        v[HEALTH_MEMORY] = (double)room.resident.bytes;
}

void
health_json(const struct health *h, struct buf *b)
{
    buf_addc(b, '{');
    for (int i = 0; i < HEALTH_COUNT; i++)
        if (!isnan(h->value[i]))
            json_put_number(b, whats[i].member, h->value[i]);
    buf_addc(b, '}');
}

static bool
read_bound(double *out, const char *text, size_t n, bool bytes)
{
    static const char units[] = "KMG";
    char *end;
    double v = strtod(text, &end);
    const char *unit = bytes && end < text + n ? strchr(units, *end) : NULL;

    if (*text < '0' || *text > '9')
        return false;
    if (unit != NULL && *unit != '\0') {
        v *= (double)((uint64_t)1 << (10 * (unit - units + 1)));
        end++;
    }
    *out = v;
    return end == text + n && isfinite(v);
}

int
health_rule_read(struct health_rule *r, const char *text, struct err *e)
{
    const char *equals = strchr(text, '='), *colon = strrchr(text, ':');

    *r = (struct health_rule){ .what = HEALTH_COUNT, .action = HEALTH_FINE };
    for (int i = 0; i < HEALTH_COUNT && equals != NULL; i++)
        if (strlen(whats[i].name) == (size_t)(equals - text)
            && strncmp(whats[i].name, text, (size_t)(equals - text)) == 0)
            r->what = (uint8_t)i;
    for (int i = HEALTH_WARN; i <= HEALTH_STOP && colon != NULL; i++)
        if (strcmp(actions[i], colon + 1) == 0)
            r->action = (uint8_t)i;
    if (r->what == HEALTH_COUNT || r->action == HEALTH_FINE || colon < equals
        || !read_bound(&r->bound, equals + 1, (size_t)(colon - equals - 1),
                       r->what == HEALTH_MEMORY))
        return err_set(e, ERR_USAGE, "--watch (found '%s', expected "
                       "temperature, load, memory or throttled, =BOUND and "
                       ":warn, :pause or :stop, as temperature=85:pause)",
                       text);
    if (r->what == HEALTH_THROTTLED && r->action == HEALTH_PAUSE)
        return err_set(e, ERR_USAGE, "--watch (found '%s': it is counted, and "
                       "the pause would never end; expected throttled "
                       "with :warn or :stop)", text);
    return 0;
}

const char *
health_unseen(const struct health_rule *r, const struct health *h)
{
    return isnan(h->value[r->what]) ? whats[r->what].name : NULL;
}

/* Whether the rule is broken. */
static bool
is_broken(const struct health_rule *r, double v)
{
    return r->what == HEALTH_MEMORY ? v < r->bound : v > r->bound;
}

enum health_action
health_check(const struct health_rule *r, size_t n, const struct health *now,
             const struct health *first, bool paused, char *why, size_t cap)
{
    enum health_action worst = HEALTH_FINE;

    for (size_t i = 0; i < n; i++) {
        double v = now->value[r[i].what], more = 0;

        if (r[i].what == HEALTH_THROTTLED)
            v -= first->value[HEALTH_THROTTLED];
        if (paused && r[i].what == HEALTH_TEMPERATURE
            && r[i].action == HEALTH_PAUSE)
            more = HEALTH_COOLER;
        if (!is_broken(&r[i], v + more) || r[i].action <= (int)worst)
            continue;
        worst = (enum health_action)r[i].action;
        snprintf(why, cap, "%s: %.6g%s (bound %.6g)", whats[r[i].what].name,
                 v, whats[r[i].what].unit, r[i].bound);
    }
    return worst;
}
