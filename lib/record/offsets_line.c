/* offsets_line.c - four lists of one record, as JSON. */
#include "record/offsets_line.h"

#include "record/jsonl.h"

void
offsets_line(struct buf *b, const struct template_out *made,
             enum tokens_loss loss)
{
    const struct shown *s = &made->shown;

    buf_addstr(b, "{\"ids\":");
    jsonl_put_ids(b, made->ids.id, made->ids.n);
    buf_addstr(b, ",\"mask\":");
    jsonl_put_mask(b, made->loss, made->ids.n);
    buf_addf(b, ",\"loss\":\"%s\"", tokens_loss_name(loss));
    buf_addstr(b, ",\"text\":");
    jsonl_put_bytes(b, s->text.data, s->text.len);
    buf_addstr(b, ",\"offsets\":[");
    for (size_t i = 0; i < s->n; i++)
        buf_addf(b, "%s[%zu,%zu]", i > 0 ? "," : "", s->at[i].start,
                 s->at[i].end);
    buf_addstr(b, "]}\n");
}
