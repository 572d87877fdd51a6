/* scrubbing.c - one record by one of the threads; what became of it is counted
 * in the order of the records.
 */
#include "record/scrubbing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"

#define SLOT_KEPT (1u << 20)

/* What look leaves to settle. */
struct scrub_slot {
    struct buf rules;  /* of each place, u64 */
    struct buf report;
    bool limited, dropped;
    struct drop_found found; /* where it was dropped; without its why */
};

struct scrubbing_worker {
    bool ready;
    struct scrub_worker w;
    struct drops_worker drops;
};

static void
note(struct scrubbing *s, const struct scrub_worker *w,
     const struct filter_item *it)
{
    struct scrub_slot *slot = &s->slot[it->slot];

    for (size_t i = 0; i < w->n_places; i++)
        buf_u64(&slot->rules, w->place[i].rule);
    if (s->report)
        scrub_put_places(w, it->index, &slot->report);
}

static void
drop(struct scrubbing *s, struct scrub_worker *w,
     struct filter_item *it)
{
    struct scrub_slot *slot = &s->slot[it->slot];

    it->fate = FILTER_DROP;
    slot->dropped = true;
    if (s->report)
        scrub_put_drop(w, it->index, &slot->found, &slot->report);
}

static void
look(void *ctx, struct filter_item *it, int worker)
{
    struct scrubbing *s = ctx;
    struct scrubbing_worker *w = &s->worker[worker];
    struct scrub_slot *slot = &s->slot[it->slot];
    int rc;

    if (!w->ready) {
        scrub_worker_init(&w->w, s->rules);
        drops_worker_init(&w->drops);
    }
    w->ready = true;
    slot->limited = slot->dropped = false;
    rc = scrub_decode(&w->w, it->p, it->n, &it->e);
    if (rc == 0 && drops_find(s->drops, &w->drops, &w->w.rec, &w->w.change,
                              &slot->found)) {
        drop(s, &w->w, it);
        return;
    }
    if (rc == 0)
        rc = scrub_record(&w->w, &it->out, &it->e);
    if (rc > 0) {
        it->fate = FILTER_CHANGE;
        note(s, &w->w, it);
    } else if (rc == ERR_LIMIT && s->keep_going) {
        it->fate = FILTER_DROP;
        slot->limited = true;
    }
}

static int
put_report(struct scrubbing *s, struct scrub_slot *slot, struct err *e)
{
    int rc = out_write(s->report, slot->report.data, slot->report.len, e);

    if (slot->report.cap > SLOT_KEPT)
        buf_release(&slot->report);
    buf_reset(&slot->report);
    return rc;
}

static void
count_places(struct scrubbing *s, struct scrub_slot *slot)
{
    struct cursor c = cursor_on(slot->rules.data, slot->rules.len);

    s->changed += c.left > 0;
    for (; c.left > 0; s->places++)
        s->count[cursor_u64(&c)]++;
    buf_reset(&slot->rules);
}

static int
settle(void *ctx, struct filter_item *it, struct stream_out *out,
       struct err *e)
{
    struct scrubbing *s = ctx;
    struct scrub_slot *slot = &s->slot[it->slot];

    if (slot->limited) {
        log_warn("%s", it->e.text);
        stream_out_skip(out, s->program, "limit", 1);
        s->limited++;
        return 0;
    }
    if (slot->dropped) {
        s->dropped[slot->found.drop]++;
        s->lines[slot->found.drop] += slot->found.lines;
    }
    count_places(s, slot);
    return slot->report.len > 0 ? put_report(s, slot, e) : 0;
}

void
scrubbing_init(struct scrubbing *s, const struct drops *drops,
               const struct scrub_rules *rules)
{
    memset(s, 0, sizeof(*s));
    filtering_init(&s->filtering);
    s->filtering.look = look;
    s->filtering.settle = settle;
    s->filtering.ctx = s;
    s->drops = drops;
    s->rules = rules;
    s->count = mem_array(rules->n, sizeof(*s->count));
    s->slot = mem_array(FILTER_SLOTS, sizeof(*s->slot));
    s->worker = mem_array((size_t)par_threads(), sizeof(*s->worker));
    for (size_t i = 0; i < FILTER_SLOTS; i++) {
        buf_init(&s->slot[i].rules);
        buf_init(&s->slot[i].report);
    }
}

void
scrubbing_release(struct scrubbing *s)
{
    for (int i = 0; i < par_threads(); i++)
        if (s->worker[i].ready) {
            scrub_worker_release(&s->worker[i].w);
            drops_worker_release(&s->worker[i].drops);
        }
    for (size_t i = 0; i < FILTER_SLOTS; i++) {
        buf_release(&s->slot[i].rules);
        buf_release(&s->slot[i].report);
    }
    filtering_release(&s->filtering);
    free(s->count);
    free(s->slot);
    free(s->worker);
}

/* What was replaced and left out since the counts were those of `before`. */
static void
put_ledger(const struct scrubbing *s, const struct scrubbing *before,
           struct stream_out *out)
{
    char reason[80];

    for (int i = 0; i < DROPS; i++) {
        stream_out_skip(out, s->program, drop_name(i),
                        s->dropped[i] - before->dropped[i]);
        snprintf(reason, sizeof(reason), "%s.lines", drop_name(i));
        stream_out_skip(out, s->program, reason,
                        s->lines[i] - before->lines[i]);
    }
    for (size_t i = 0; i < s->rules->n; i++) {
        snprintf(reason, sizeof(reason), "replaced.%s", s->rules->rule[i].id);
        stream_out_skip(out, s->program, reason,
                        s->count[i] - before->count[i]);
    }
}

int
scrubbing_segment(void *scrubbing, struct stream_in *in,
                  struct stream_out *out, const char *prov, struct err *e)
{
    struct scrubbing *s = scrubbing, before = *s;
    int rc = filtering_begin(in, out, prov, e);

    before.count = mem_dup(s->count, s->rules->n * sizeof(*s->count));
    if (rc == 0)
        rc = filtering_records(&s->filtering, in, out, e);
    if (rc == 0)
        put_ledger(s, &before, out);
    free(before.count);
    return rc < 0 ? rc : stream_pass_end(out, in, e);
}
