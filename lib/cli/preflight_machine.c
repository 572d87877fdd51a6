/* preflight_machine.c - what a run would compute with, and what is free. */
#include "cli/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/io.h"
#include "base/par.h"
#include "base/room.h"
#include "train/health.h"

#define MAX_CPUINFO (16 << 20)

static double
mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* Whether word is one of those of a line. */
static bool
has_word(const char *line, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = line; (at = strstr(at, word)) != NULL; at += n)
        if (at[-1] == ' ' && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

/* The features of the first processor, of those that matter here. */
static void
read_features(struct buf *b, bool *bf16)
{
    static const char *const names[] = {
        "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16",
        "amx_tile", "amx_bf16", "amx_int8", "asimd", "sve", "bf16"
    };
    struct buf text;
    struct err e;
    char *line, *end;

    *bf16 = false;
    buf_init(&text);
    if (file_read(&text, "/proc/cpuinfo", MAX_CPUINFO, &e) == 0) {
        line = strstr(text.data, "\nflags");
        line = line ? line : strstr(text.data, "\nFeatures");
        line = line ? line + 1 : text.data;
        end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (has_word(line, names[i]))
                buf_addf(b, "%s%s", b->len ? " " : "", names[i]);
        *bf16 = has_word(line, "avx512_bf16");
    }
    buf_release(&text);
}

static void
look_at_processor(struct preflight *p, const struct backend *b)
{
    long here = sysconf(_SC_NPROCESSORS_ONLN);
    struct findings *f = &p->findings;
    struct buf features;
    bool bf16;

    buf_init(&features);
    read_features(&features, &bf16);
    findings_add(f, FINDING_OK, "machine.processor", "%ld processors: %s",
                 here, features.len ? features.data : "of no feature that is "
                 "known here");
    buf_release(&features);
    if (b == NULL)
        return;
    findings_add(f, FINDING_OK, "machine.device", "%s: %s, --compute %s, %d "
                 "threads", b->name, b->detail, p->o->machine.compute,
                 par_threads());
    if (!b->apart && par_threads() > here) {
        findings_add(f, FINDING_WARNING, "machine.threads", "%d threads on "
                     "%ld processors wait for one another", par_threads(),
                     here);
        findings_remedy(f, "leave --threads out");
    }
    if (!b->apart && bf16 && strcmp(p->o->machine.compute, "f32") == 0) {
        findings_add(f, FINDING_NOTE, "machine.bf16", "this processor "
                     "multiplies in bfloat16, which is not used");
        findings_remedy(f, "--compute bf16 is faster, and of other bits");
    }
    if (!b->apart && access("/dev/nvidia0", F_OK) == 0) {
        findings_add(f, FINDING_NOTE, "machine.card", "there is a card "
                     "(/dev/nvidia0), and the processor computes");
        findings_remedy(f, "make cuda, and --device cuda");
    }
}

/* What is free is measured when the plan is held against it (fit.h); this is
 * for people. */
static void
look_at_room(struct preflight *p, const struct backend *b)
{
    struct findings *f = &p->findings;
    struct room room;
    uint64_t total, left;
    char by[256];

    room_measure(&room, "");
    if (room.resident.bytes < UINT64_MAX) {
        findings_add(f, FINDING_OK, "memory.free", "%.0f MiB (%s)",
                     mib(room.resident.bytes), room.resident.by);
        findings_value(f, "bytes", (double)room.resident.bytes);
    }
    if (room.mapped.bytes < UINT64_MAX) {
        findings_add(f, FINDING_OK, "memory.mapped", "%.0f MiB of address "
                     "space (%s)", mib(room.mapped.bytes), room.mapped.by);
        findings_value(f, "bytes", (double)room.mapped.bytes);
    }
    if (b != NULL && b->room != NULL) {
        left = b->room(b, &total, by, sizeof(by));
        findings_add(f, FINDING_OK, "memory.card", "%.0f of %.0f MiB free "
                     "(%s)", mib(left), mib(total), by);
        findings_value(f, "bytes", (double)left);
    }
}

/* A bound that is there, and that the run would meet at its first step. */
static void
look_at_bound(struct findings *f, const char *text,
              const struct health_rule *rule, const struct health *now)
{
    char why[128];
    enum health_action does = health_check(rule, 1, now, now, false, why,
                                           sizeof(why));

    if (does != HEALTH_PAUSE && does != HEALTH_STOP)
        return;
    findings_add(f, FINDING_WARNING, "machine.watch", "--watch %s: the run "
                 "would %s before its first step, %s", text,
                 does == HEALTH_STOP ? "stop" : "pause", why);
    findings_remedy(f, "another bound, unless the machine is to rest first");
}

/* Bounds that have nothing to hold against, and those that are broken. */
static void
look_at_watch(struct preflight *p)
{
    const struct opt_list *list = &p->o->watch;
    struct health_rule rule;
    struct health now;
    const char *what;
    struct err e;

    if (list->n == 0)
        return;
    health_look(&now, "");
    for (size_t i = 0; i < list->n; i++) {
        if (health_rule_read(&rule, list->item[i], &e) < 0)
            continue;
        look_at_bound(&p->findings, list->item[i], &rule, &now);
        what = health_unseen(&rule, &now);
        if (what == NULL)
            continue;
        findings_add(&p->findings, FINDING_WARNING, "machine.watch",
                     "--watch %s is of no effect: the system does not show "
                     "it", what);
        findings_remedy(&p->findings, "leave that bound out");
    }
}

void
preflight_machine(struct preflight *p)
{
    struct utsname system;
    struct backend b;
    struct err e;

    if (uname(&system) == 0)
        findings_add(&p->findings, FINDING_OK, "machine.system", "graft %s "
                     "on %s %s, %s", tool_version(), system.sysname,
                     system.release, system.machine);
    look_at_watch(p);
    p->device = machine_use(&p->o->machine);
    if (device_open(&b, &p->device, &e) == 0) {
        look_at_processor(p, &b);
        look_at_room(p, &b);
        device_close(&b);
        return;
    }
    look_at_processor(p, NULL);
    look_at_room(p, NULL);
    findings_error(&p->findings, "machine.device", &e);
    /* The rest is planned for what can be had. */
    p->device.plan = true;
    if (device_open(&b, &p->device, &e) == 0) {
        device_close(&b);
        return;
    }
    p->device.name = "cpu";
    p->device.compute = "f32";
}
