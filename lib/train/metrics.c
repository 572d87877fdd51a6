/* metrics.c - what is known after a step or an evaluation, as JSON. */
#include "train/metrics.h"

#include <math.h>

#include "base/json.h"

void
metrics_step(struct buf *b, const struct run_line *line,
             const struct step_report *r, const struct train_state *s)
{
    buf_addf(b, "{\"step\": %llu", (unsigned long long)s->step);
    json_put_number(b, "loss", line->loss);
    if (line->has_z_loss)
        json_put_number(b, "z_loss", line->z_loss);
    if (line->has_balance)
        json_put_number(b, "router_aux_loss", line->balance);
    if (isfinite(line->loss_at_end))
        json_put_number(b, "loss_at_end", line->loss_at_end);
    json_put_number(b, "lr", r->lr);
    json_put_number(b, "grad_norm", r->grad_norm);
    buf_addf(b, ", \"tokens\": %llu", (unsigned long long)s->tokens);
    json_put_number(b, "tok_s", line->tok_s);
    buf_addf(b, ", \"peak_bytes\": %llu, \"supervised\": %llu, "
             "\"skipped\": %llu", (unsigned long long)line->peak_bytes,
             (unsigned long long)s->supervised,
             (unsigned long long)s->skipped);
    if (line->health != NULL) {
        buf_addstr(b, ", \"machine\": ");
        health_json(line->health, b);
    }
    buf_addc(b, '}');
}

void
metrics_evaluation(struct buf *b, uint64_t step, const struct mean_loss *m)
{
    buf_addf(b, "{\"step\": %llu", (unsigned long long)step);
    json_put_number(b, "val_loss", m->mean);
    json_put_number(b, "val_half_width", m->half);
    buf_addf(b, ", \"val_tokens\": %llu, \"val_records\": %llu, "
             "\"val_clusters\": %llu}", (unsigned long long)m->tokens,
             (unsigned long long)m->records,
             (unsigned long long)m->clusters);
}
