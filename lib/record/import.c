/* import.c - the segment that a file of ids becomes. */
#include "record/import.h"

#include <string.h>

#include "record/tokens.h"

int
import_begin(struct import *m, struct err *e)
{
    struct stream_head h;
    int rc;

    tokens_head(&h, m->vocab, m->tokenizer);
    if (m->parted)
        stream_head_set_u64(&h, "eos", m->end);
    stream_head_prov(&h, m->prov);
    rc = stream_out_begin(m->out, &h, e);
    stream_head_release(&h);
    return rc;
}

int
import_record(struct import *m, const uint32_t *ids, size_t n,
              struct err *e)
{
    struct tokens_origin origin = {.ordinal = m->records,
                                   .group = m->records};
    struct buf b;
    int rc;

    if (n == 0) {
        m->empty++;
        return 0;
    }
    buf_init(&b);
    rc = tokens_encode(&b, &origin, ids, NULL, n, m->vocab, e);
    if (rc == 0)
        rc = stream_out_record(m->out, b.data, b.len, e);
    buf_release(&b);
    m->records++;
    m->tokens += n;
    return rc;
}

int
import_end(struct import *m, struct err *e)
{
    stream_out_skip(m->out, m->program, "empty-document", m->empty);
    return stream_out_end(m->out, e);
}
