/* quantize.c - a base in, a weights stream out, or a model directory.
 *
 * The stream begins with the assets (config, tokenizer files), verbatim;
 * then come the tensors in bytewise order of name, each converted a batch at
 * a time by all processors, so memory does not grow with the model. The id of
 * a base that is a set is an input of the stream. That of others is not: to
 * make it takes longer than all the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/aside.h"
#include "cli/options.h"
#include "stream/stream.h"
#include "tool/tool.h"
#include "weights/base.h"
#include "weights/bitsandbytes_write.h"
#include "weights/quantize.h"
#include "weights/weights.h"

struct options {
    const char *format, *report, *to;
    uint64_t threads;
    bool allow_nonfinite, double_quant;
};

static const struct opt table[] = {
    { .name = "format", .letter = 'f', .type = OPT_NAME, .output = true,
      AT(format), .arg = "FORMAT", .def = "bf16",
      .choices = "f32|bf16|f16|int8|int8_row|nf4",
      .help = "number format of the weights; int8: matrices in groups of 128 "
              "with an f16 scale each, everything else f32; int8_row: the "
              "layers' matrices in rows with an f32 scale each, nf4: in "
              "blocks of 64 with an f32 scale each, everything else as it "
              "is" },
    { .name = "report", .type = OPT_STRING, AT(report), .arg = "FILE",
      .help = "write how far each tensor is from what it was to FILE, as "
              "lines of JSON" },
    { .name = "to", .type = OPT_STRING, AT(to), .arg = "MODELDIR",
      .help = "with nf4 or int8_row: instead of a stream, write a model "
              "directory that transformers loads with bitsandbytes" },
    { .name = "double-quant", .type = OPT_FLAG, AT(double_quant),
      .help = "with nf4 and --to: quantise the scales, too, in 8 bits "
              "(4.127 bits an element in place of 4.5)" },
    { .name = "allow-nonfinite", .type = OPT_FLAG, .output = true,
      AT(allow_nonfinite),
      .help = "let NaN and infinities pass (int8, int8_row and nf4 can't hold "
              "them)" },
    { THREADS_OPTION, AT(threads), .help = "threads; 0: one per processor" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "quantize",
    .summary = "convert the weights of a base to a stream",
    .operands = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
};

static int
write_segment(struct quantize *q, struct stream_out *out,
              const struct weights *w, const uint8_t *use,
              const struct stream_head *head, struct err *e)
{
    const struct id *id = weights_known_id(w);
    uint64_t bytes = 0;
    size_t i;
    int rc;

    for (i = 0; i < w->n; i++)
        bytes += w->item[i].bytes;
    progress_begin("bytes", 0, bytes);
    q->out = out;
    rc = stream_out_begin(out, head, e);
    for (i = 0; i < w->n_assets && rc == 0; i++)
        rc = quantize_asset(out, w, &w->asset[i], e);
    for (i = 0; i < w->n && rc == 0; i++) {
        rc = weights_ready(w, &w->item[i], e);
        if (rc == 0)
            rc = quantize_tensor(q, &w->item[i], use[i], e);
        weights_drop(w, &w->item[i]);
        if (i > 0) /* this one may still wait to be written */
            weights_done(w, &w->item[i - 1]);
        if (rc == ERR_DATA)
            err_prefix(e, "%s", w->path);
    }
    if (rc == 0)
        rc = quantize_end(q, e);
    progress_end();
    if (rc == 0 && id)
        stream_out_input_id(out, id);
    return rc < 0 ? rc : stream_out_end(out, e);
}

/* The stream to stdout, then the report. */
static int
convert(const struct options *o, struct quantize *q, const struct weights *w,
        const uint8_t *use, const struct stream_head *head, struct err *e)
{
    struct stream_out out;
    int rc = stream_out_open(&out, "-", e);

    if (rc < 0)
        return rc;
    rc = write_segment(q, &out, w, use, head, e);
    if (rc == 0 && q->report)
        rc = file_write(o->report, q->report->data, q->report->len, e);
    if (rc == 0)
        return stream_out_close(&out, e);
    stream_out_release(&out);
    return rc;
}

/* The directory that --to names; nothing to stdout. */
static int
write_dir(const struct options *o, struct quantize *q,
          const struct weights *w, const uint8_t *use, struct err *e)
{
    const struct bitsandbytes_how how = {
        q->dtype, o->double_quant, o->allow_nonfinite
    };
    struct out_dir out;
    int rc = out_dir_open(&out, o->to, e);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < w->n; i++)
        q->n_in += w->item[i].bytes;
    progress_begin("bytes", 0, q->n_in);
    rc = bitsandbytes_write(&out, &q->n_out, w, use, &how, e);
    progress_end();
    if (rc == 0)
        rc = out_dir_commit(&out, e);
    out_dir_release(&out);
    return rc;
}

/* bitsandbytes' linears are [out, in]; those of GPT-2 are the other way
 * round. It can't have one that is no module in transformers' forward. */
static int
check_linears(const struct model_desc *d, const char *model, struct err *e)
{
    for (size_t i = 0; i < d->n_modules; i++) {
        const char *name = d->module[i].name;

        if (d->module[i].in_out)
            return err_set(e, ERR_DATA, "%s: module %s: --to can't turn its "
                           "matrix, which is stored [in, out]", model, name);
        if (d->module[i].expert >= 0)
            return err_set(e, ERR_DATA, "%s: module %s: --to is for linears, "
                           "and transformers has all experts in one tensor",
                           model, name);
        if (d->module[i].role == ROLE_DT)
            return err_set(e, ERR_DATA, "%s: module %s: with --to it would "
                           "be none that transformers computes with", model,
                           name);
    }
    return 0;
}

static int
check_options(const struct options *o, const char *model, struct err *e)
{
    if (o->to && strcmp(o->format, "nf4") != 0
        && strcmp(o->format, "int8_row") != 0)
        return err_set(e, ERR_USAGE, "--to is for --format nf4 or int8_row "
                       "(found %s)", o->format);
    if (o->double_quant && (!o->to || strcmp(o->format, "nf4") != 0))
        return err_set(e, ERR_USAGE, "--double-quant is for --format nf4 with "
                       "--to");
    if (o->to && o->report)
        return err_set(e, ERR_USAGE, "--report is for streams, not for --to");
    return o->report ? aside_check("report", o->report, &model, 1, e) : 0;
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
    struct weights w;
    struct model_desc desc;
    struct buf lines;
    uint8_t *use = NULL;
    const char *model = args->operand[0];
    char *prov = tool_prov(args, o, NULL);
    size_t unused;
    int rc;

    par_set_threads((int)o->threads);
    buf_init(&lines);
    q.report = o->report ? &lines : NULL;
    stream_head_init(&head, "weights");
    stream_head_set(&head, "format", o->format);
    stream_head_prov(&head, prov);
    rc = check_options(o, model, e);
    if (rc == 0)
        rc = weights_open(&w, model, e);
    if (rc < 0)
        goto out;
    if (w.made_of[0] != '\0')
        stream_head_set(&head, "tokenizer", w.made_of);
    rc = base_describe(&desc, &unused, &w, e);
    if (rc < 0)
        goto close;
    use = mem_array(w.n, sizeof(*use));
    base_uses(use, &w, &desc);
    if (o->to)
        rc = check_linears(&desc, model, e);
    desc_release(&desc);
    if (rc == 0)
        rc = o->to ? write_dir(o, &q, &w, use, e)
             : convert(o, &q, &w, use, &head, e);
    if (rc == 0)
        log_info("%zu tensors, %.1f MB to %.1f MB of %s", w.n,
                 (double)q.n_in / 1e6, (double)q.n_out / 1e6,
                 o->format);
    quantize_release(&q);
close:
    weights_release(&w);
out:
    stream_head_release(&head);
    buf_release(&lines);
    free(use);
    free(prov);
    return rc;
}
