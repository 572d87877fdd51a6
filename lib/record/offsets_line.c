/* offsets_line.c - four lists of one record, as JSON. */
#include "record/offsets_line.h"

#include "base/json.h"
#include "record/jsonl.h"

static void
next(struct buf *b, size_t i)
{
    if (i > 0)
        buf_addc(b, ',');
}

void
offsets_line(struct buf *b, const struct template_out *made)
{
    const struct shown *s = &made->shown;
    size_t i;

    buf_addstr(b, "{\"ids\":[");
    for (i = 0; i < made->ids.n; i++) {
        next(b, i);
        json_put_u64(b, made->ids.id[i]);
    }
    buf_addstr(b, "],\"mask\":[");
    for (i = 0; i < made->ids.n; i++) {
        next(b, i);
        buf_addc(b, made->loss[i] ? '1' : '0');
    }
    buf_addstr(b, "],\"text\":");
    jsonl_put_bytes(b, s->text.data, s->text.len);
    buf_addstr(b, ",\"offsets\":[");
    for (i = 0; i < s->n; i++) {
        next(b, i);
        buf_addf(b, "[%zu,%zu]", s->at[i].start, s->at[i].end);
    }
    buf_addstr(b, "]}\n");
}
