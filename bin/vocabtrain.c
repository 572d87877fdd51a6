/* vocabtrain.c - a stream of text in, a byte-level BPE tokenizer.json out.
 *
 * Nothing is written before the stream has ended well, and an output that
 * would not change is not touched.
 */
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "record/texts.h"
#include "stream/stream.h"
#include "text/bpe_train.h"
#include "text/tokenizer.h"
#include "tool/tool.h"

#define BYTES 256

enum { UNIT_TEXT, UNIT_LINE };

struct options {
    const char *output;
    struct opt_list special;
    uint64_t size, min_frequency;
    int unit;
};

static const struct opt table[] = {
    { .name = "size", .type = OPT_U64, .output = true, AT(size), .arg = "N",
      .max = 1u << 24, .required = true,
      .help = "tokens to have, special ones and 256 bytes included" },
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "FILE", .required = true, .help = "the tokenizer.json to write" },
    { .name = "special", .type = OPT_LIST, .output = true, AT(special),
      .arg = "TOKEN", .help = "special token; they get the first ids" },
    { .name = "min-frequency", .type = OPT_U64, .output = true,
      AT(min_frequency), .arg = "N", .def = "0", .max = 1u << 30,
      .help = "count that a pair needs to become a token" },
    { .name = "unit", .type = OPT_CHOICE, .output = true, AT(unit),
      .arg = "UNIT", .def = "text", .choices = "text|line",
      .help = "what is cut into pieces by itself: a whole text, or each line "
              "with its newline" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "vocabtrain",
    .summary = "train a byte-level BPE vocabulary",
    .operands = "[FILE|DIR]",
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 5 6",
};

struct training {
    const struct options *o;
    struct bpe_trainer trainer;
    struct texts texts;
};

static void
add_text(void *ctx, const char *p, size_t n)
{
    struct training *j = ctx;
    const char *end = p + n, *newline;
    size_t len;

    for (; j->o->unit == UNIT_LINE && p < end; p += len) {
        newline = memchr(p, '\n', (size_t)(end - p));
        len = newline ? (size_t)(newline + 1 - p) : (size_t)(end - p);
        bpe_trainer_add(&j->trainer, p, len);
    }
    if (p < end)
        bpe_trainer_add(&j->trainer, p, (size_t)(end - p));
}

static int
add_stream(struct training *j, const char *path, struct err *e)
{
    struct stream_in in;
    struct stream_rec rec;
    int rc;

    rc = stream_in_open(&in, path, "text", e);
    if (rc < 0)
        return rc;
    progress_begin("records", 0, 0);
    rc = out_check(j->o->output, &in.in, e);
    while (rc == 0 && (rc = stream_in_segment(&in, e)) > 0) {
        while ((rc = stream_in_record(&in, &rec, e)) > 0) {
            rc = texts_of(&j->texts, rec.p, rec.n, add_text, j, e);
            if (rc < 0) {
                err_prefix(e, "%s: record %llu", in.in.name,
                           (unsigned long long)rec.index);
                break;
            }
            progress_part(NULL, in.in.at, in.in.size);
            progress_add(1);
        }
        if (rc < 0)
            break;
    }
    progress_end();
    stream_in_release(&in);
    return rc;
}

/* One of at least two characters of UTF-8, as one might be a byte's. */
static int
check_special(const char *token, size_t i, struct err *e)
{
    size_t n = strlen(token);
    uint32_t code;

    if (n > TOKENIZER_MAX_TOKEN)
        return err_set(e, ERR_LIMIT, "special token %zu of %zu bytes, "
                       "limit %u", i + 1, n, TOKENIZER_MAX_TOKEN);
    if (n == 0 || utf8_valid(token, n) < n || utf8_decode(token, &code) == n)
        return err_set(e, ERR_USAGE, "special token \"%s\": expected two "
                       "characters or more of UTF-8", token);
    return 0;
}

/* Special tokens are distinct, and not more than a tokenizer takes. */
static int
check_specials(const struct opt_list *s, struct err *e)
{
    struct map seen;
    bool fresh = true;
    size_t i;
    int rc = 0;

    map_init(&seen);
    for (i = 0; i < s->n && rc == 0; i++) {
        rc = check_special(s->item[i], i, e);
        map_put(&seen, s->item[i], strlen(s->item[i]), 0, &fresh);
        if (rc == 0 && !fresh)
            rc = err_set(e, ERR_USAGE, "special token \"%s\" twice",
                         s->item[i]);
        if (rc == 0 && seen.keys_len > TOKENIZER_MAX_ADDED)
            rc = err_set(e, ERR_LIMIT, "special tokens of %zu bytes, limit "
                         "%u", seen.keys_len, TOKENIZER_MAX_ADDED);
    }
    map_release(&seen);
    return rc;
}

static int
check_options(const struct options *o, struct err *e)
{
    if (o->size < o->special.n + BYTES)
        return err_set(e, ERR_USAGE, "--size %llu is below %zu, the special "
                       "tokens and %d bytes", (unsigned long long)o->size,
                       o->special.n + BYTES, BYTES);
    return check_specials(&o->special, e);
}

/* Whether tokenize will read it, by its own reader. */
static int
check_readable(const struct buf *json, const char *path, struct err *e)
{
    struct tokenizer t;
    int rc = tokenizer_read(&t, json->data, json->len, path, e);

    if (rc == 0)
        tokenizer_release(&t);
    return rc;
}

static void
tell(const struct training *j, const struct bpe_trained *made)
{
    log_info("%u tokens of %llu bytes, %zu distinct pieces", made->n_tokens,
             (unsigned long long)j->trainer.n_bytes, j->trainer.piece.n);
    if (made->end != BPE_SIZE)
        log_warn("%u tokens instead of %llu: %s", made->n_tokens,
                 (unsigned long long)j->o->size, made->end == BPE_NO_PAIR ?
                 "no pair is left that counts enough" :
                 "the file would be over the 64 MiB that tokenize reads");
}

static int
finish(struct training *j, struct err *e)
{
    const struct options *o = j->o;
    struct bpe_train_options t = {
        .size = (uint32_t)o->size, .min_frequency = o->min_frequency,
        .special = o->special.item, .n_special = o->special.n
    };
    struct bpe_trained made;
    struct buf json;
    int rc;

    buf_init(&json);
    rc = bpe_trainer_finish(&j->trainer, &t, &json, &made, e);
    if (rc == 0)
        rc = check_readable(&json, o->output, e);
    if (rc == 0)
        rc = file_update(o->output, json.data, json.len, NULL, e);
    if (rc == 0)
        tell(j, &made);
    buf_release(&json);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct training j = { .o = o };
    int rc;

    rc = check_options(o, e);
    if (rc < 0)
        return rc;
    bpe_trainer_init(&j.trainer);
    texts_init(&j.texts);
    rc = add_stream(&j, args->n > 0 ? args->operand[0] : "-", e);
    if (rc == 0)
        rc = finish(&j, e);
    bpe_trainer_release(&j.trainer);
    texts_release(&j.texts);
    return rc;
}
