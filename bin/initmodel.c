/* initmodel.c - an architecture in, a random-initialised base out.
 *
 * The base is a Hugging Face model directory: config.json, model.safetensors
 * and, with --tokenizer, the tokenizer's files. It is built beside its name
 * and renamed; a directory that was made of the same input is left alone.
 * --dry-run says how large it would be, from the configuration alone.
 */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options.h"
#include "model/family.h"
#include "tensor/modeldir.h"
#include "tool/tool.h"
#include "weights/arch.h"
#include "weights/init.h"

#define MAX_ARCH (1 << 20)

struct options {
    const char *output, *tokenizer;
    uint64_t seed;
    bool scaled, dry_run;
};

static const struct opt table[] = {
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(output),
      .arg = "MODELDIR", .required = true, .unless = "dry-run",
      .help = "the directory to make" },
    { .name = "seed", .type = OPT_U64, .output = true, AT(seed), .arg = "N",
      .def = "0", .help = "of the random numbers" },
    { .name = "scaled-residual", .type = OPT_FLAG, .output = true,
      AT(scaled),
      .help = "divide the deviation of matrices that write into the residual "
              "by the root of twice the layers, in any architecture, as "
              "gpt2's" },
    { TOKENIZER_OPTION, .output = true, AT(tokenizer),
      .help = "a tokenizer.json to copy; vocab_size is taken from it or "
              "checked against it" },
    { .name = "dry-run", .type = OPT_FLAG, AT(dry_run),
      .help = "print how large the model is, and make nothing" },
    { .name = NULL },
};

static tool_run run;

const struct tool tool = {
    .name = "initmodel",
    .summary = "make a random-initialised base from an architecture",
    .operands = "ARCH.json",
    .min_operands = 1,
    .max_operands = 1,
    .opts = table,
    .options_size = sizeof(struct options),
    .run = run,
    .exits = "4 6",
};

/* What trains every weight has at least: weights, gradients, and two moments
 * of the optimizer, in 32 bits each. */
#define TRAINING_BYTES 16

/* Everything the directory is made of. */
struct plan {
    struct buf tokenizer, config;
    struct vocab vocab;
    unsigned dtype;
    struct model_desc desc;
    char key[ID_HEX + 1];
};

static void
make_key(struct plan *p, const struct options *o)
{
    struct id id;
    struct hash h;

    hash_init(&h);
    hash_field(&h, tool_version(), strlen(tool_version()));
    hash_field(&h, p->config.data, p->config.len);
    hash_field(&h, p->tokenizer.data, p->tokenizer.len);
    hash_u64(&h, o->seed);
    if (o->scaled)
        hash_u64(&h, 1);
    id = hash_id(&h);
    id_hex(&id, p->key);
}

static int
make_plan(struct plan *p, const struct options *o, const char *path,
          struct err *e)
{
    struct buf arch;
    int rc;

    buf_init(&arch);
    rc = file_read(&arch, path, MAX_ARCH, e);
    if (rc == 0 && o->tokenizer) {
        rc = file_read(&p->tokenizer, o->tokenizer, MODELDIR_MAX_ASSET, e);
        if (rc == 0)
            rc = vocab_read(&p->vocab, p->tokenizer.data, p->tokenizer.len,
                            o->tokenizer, e);
    }
    if (rc == 0)
        rc = arch_config(&p->config, &p->dtype, arch.data, arch.len,
                         o->tokenizer ? &p->vocab : NULL, path, e);
    if (rc == 0)
        rc = desc_read(&p->desc, p->config.data, p->config.len, path, e);
    if (rc == 0)
        make_key(p, o);
    buf_release(&arch);
    return rc;
}

/* What makes transformers' AutoTokenizer take tokenizer.json as it is. */
static int
put_tokenizer(struct out_dir *w, const struct plan *p, struct err *e)
{
    struct buf text;
    int rc;

    buf_init(&text);
    buf_addf(&text, "{\n  \"model_max_length\": %u,\n", p->desc.max_pos);
    if (p->vocab.end != UINT64_MAX)
        buf_addstr(&text, "  \"bos_token\": \"<|endoftext|>\",\n"
                   "  \"eos_token\": \"<|endoftext|>\",\n");
    buf_addstr(&text, "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n"
               "}\n");
    rc = out_dir_put(w, "tokenizer.json", p->tokenizer.data,
                            p->tokenizer.len, e);
    if (rc == 0)
        rc = out_dir_put(w, "tokenizer_config.json", text.data,
                                text.len, e);
    buf_release(&text);
    return rc;
}

static int
write_model(const struct plan *p, const struct options *o, struct err *e)
{
    struct out_dir w;
    struct model_init init;
    const struct modeldir_source source = { model_init_put, &init };
    const struct safetensors_meta key = { MODELDIR_KEY, p->key };
    struct safetensor *t;
    size_t n;
    int rc;

    rc = out_dir_open(&w, o->output, e);
    if (rc < 0)
        return rc;
    model_init_start(&init, &p->desc, o->seed);
    init.scaled = o->scaled;
    t = model_tensors(&p->desc, p->dtype, &n);
    progress_begin("bytes", 0,
                   desc_params(&p->desc) * dtype_size(p->dtype));
    rc = out_dir_put(&w, MODELDIR_CONFIG, p->config.data,
                            p->config.len, e);
    if (rc == 0 && o->tokenizer)
        rc = put_tokenizer(&w, p, e);
    if (rc == 0)
        rc = modeldir_put_weights(&w, t, n, &source, &key, 1, e);
    progress_end();
    if (rc == 0)
        rc = out_dir_commit(&w, e);
    if (rc == 0)
        log_info("%s: %zu tensors, %.1f million parameters", o->output, n,
                 (double)desc_params(&p->desc) / 1e6);
    model_tensors_free(t, n);
    model_init_release(&init);
    out_dir_release(&w);
    return rc;
}

static uint64_t
role_params(const struct model_desc *d, enum role role)
{
    const struct module *m = desc_module(d, role, 0);

    return m ? (uint64_t)d->tensor[m->weight].rows
               * d->tensor[m->weight].cols : 0;
}

struct size {
    uint64_t params, tokens; /* all; of them in embedding and head */
    uint64_t stored, full;   /* bytes: in the files; to train every weight */
};

static struct size
size_of(const struct plan *p)
{
    const struct model_desc *d = &p->desc;
    struct size s = { .params = desc_params(d) };

    s.tokens = role_params(d, ROLE_EMBED) + role_params(d, ROLE_POS);
    if (!d->tied)
        s.tokens += role_params(d, ROLE_HEAD);
    s.stored = s.params * dtype_size(p->dtype);
    s.full = s.params * TRAINING_BYTES;
    return s;
}

static void
put_row(struct buf *b, const char *name, const char *what, double number,
        int decimals)
{
    buf_addf(b, "%-14s %14.*f%s\n", name, decimals, number, what);
}

/* How large the model is: a table for people, else a JSON object. */
static int
print_size(const struct plan *p, struct err *e)
{
    const struct model_desc *d = &p->desc;
    struct size s = size_of(p);
    struct buf b;
    int rc;

    buf_init(&b);
    if (tool_on_terminal()) {
        put_row(&b, "parameters", "", (double)s.params, 0);
        put_row(&b, "of tokens", "  embedding and head", (double)s.tokens, 0);
        put_row(&b, "layers", "", d->n_layers, 0);
        put_row(&b, "vocabulary", "", d->vocab, 0);
        put_row(&b, "stored", "  MiB", (double)s.stored / (1 << 20), 1);
        put_row(&b, "full training", "  MiB at least, activations besides",
                (double)s.full / (1 << 20), 1);
    } else {
        buf_addf(&b, "{\"model_type\": \"%s\", \"parameters\": %llu, "
                 "\"token_parameters\": %llu, \"layers\": %u, "
                 "\"vocab_size\": %u, \"bytes\": %llu, "
                 "\"training_bytes\": %llu}\n", d->family->model_type,
                 (unsigned long long)s.params, (unsigned long long)s.tokens,
                 d->n_layers, d->vocab, (unsigned long long)s.stored,
                 (unsigned long long)s.full);
    }
    rc = file_write("-", b.data, b.len, e);
    buf_release(&b);
    return rc;
}

static int
run(void *opts, const struct args *args, struct err *e)
{
    const struct options *o = opts;
    struct plan p = { .vocab = { 0, UINT64_MAX } };
    int rc;

    buf_init(&p.tokenizer);
    buf_init(&p.config);
    rc = make_plan(&p, o, args->operand[0], e);
    if (rc < 0)
        goto out;
    if (o->dry_run)
        rc = print_size(&p, e);
    else if (modeldir_has_key(o->output, p.key))
        log_info("%s: already made of this", o->output);
    else
        rc = write_model(&p, o, e);
    desc_release(&p.desc);
out:
    buf_release(&p.tokenizer);
    buf_release(&p.config);
    return rc;
}
