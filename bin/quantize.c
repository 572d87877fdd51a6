/* quantize.c - a model directory in, a weights stream out.
 *
 * The stream begins with the assets (config, tokenizer files), verbatim;
 * then come the tensors in bytewise order of name, each converted a piece at
 * a time, so memory does not grow with the model.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/progress.h"
#include "stream/stream.h"
#include "tool/tool.h"
#include "weights/base.h"
#include "weights/quantize.h"
#include "weights/weights.h"

struct options {
    const char *format;
    bool allow_nonfinite;
};

static const struct opt table[] = {
    { .name = "format", .letter = 'f', .type = OPT_NAME, .output = true,
      AT(format), .arg = "FORMAT", .def = "bf16",
      .choices = "f32|bf16|f16|int8",
      .help = "number format of the weights; int8: matrices in groups of 128 "
              "with an f16 scale each, everything else f32" },
    { .name = "allow-nonfinite", .type = OPT_FLAG, .output = true,
      AT(allow_nonfinite),
      .help = "let NaN and infinities pass (int8 can't hold them)" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "quantize",
    .summary = "convert the weights of a base to a stream",
    .operands = "MODELDIR",
    .min_operands = 1,
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
};

static int
write_segment(struct quantize *q, struct stream_out *out,
              const struct weights *w, const struct stream_head *head,
              struct err *e)
{
    struct id id = weights_id(w);
    uint64_t bytes = 0;
    size_t i;
    int rc;

    for (i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    rc = stream_out_begin(out, head, e);
    for (i = 0; i < w->n_assets && rc == 0; i++)
        rc = quantize_asset(out, &w->asset[i], e);
    for (i = 0; i < w->n && rc == 0; i++) {
        rc = quantize_tensor(q, out, &w->item[i], e);
        weights_drop(w, &w->item[i]);
        if (rc == ERR_DATA)
            err_prefix(e, "%s", w->path);
    }
    progress_end();
    if (rc == 0) {
        stream_out_input_id(out, &id);
        rc = stream_out_end(out, e);
    }
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct quantize q = {
        .dtype = stored_named(o->format)->dtype,
        .allow_bad = o->allow_nonfinite
    };
    struct stream_head head;
    struct stream_out out;
    struct weights w;
    struct model_desc desc;
    char *prov = tool_prov(args, o, NULL);
    size_t unused;
    int rc;

    stream_head_init(&head, "weights");
    stream_head_set(&head, "format", o->format);
    stream_head_prov(&head, prov);
    rc = weights_open(&w, args->operand[0], e);
    if (rc < 0)
        goto out;
    rc = base_describe(&desc, &unused, &w, e);
    if (rc < 0)
        goto close;
    desc_release(&desc);
    rc = stream_out_open(&out, "-", e);
    if (rc < 0)
        goto close;
    rc = write_segment(&q, &out, &w, &head, e);
    if (rc == 0)
        rc = stream_out_close(&out, e);
    else
        stream_out_release(&out);
    if (rc == 0)
        log_info("%zu tensors, %.1f MB to %.1f MB of %s", w.n,
                 (double)q.n_in / 1e6, (double)q.n_out / 1e6,
                 o->format);
close:
    weights_release(&w);
out:
    stream_head_release(&head);
    free(prov);
    return rc;
}
