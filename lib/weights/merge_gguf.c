/* merge_gguf.c - a merged base as a GGUF file.
 *
 * Its head is read back before any of the weights is written: what comes back
 * has to be the model that went in. So nothing that such a file can't say is
 * lost in silence, whichever setting it is.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/gguf_write.h"
#include "weights/base.h"
#include "weights/gguf_config.h"
#include "weights/gguf_tokenizer.h"
#include "weights/merge_items.h"
#include "weights/weights_source.h"

#define CLOSE 1e-5 /* of frequencies, which files hold as factors */

/* general.file_type, as llama.cpp counts them. */
static const struct {
    unsigned dtype;
    uint32_t number;
} file_types[] = {
    { DTYPE_F32, 0 }, { DTYPE_F16, 1 }, { DTYPE_Q8_0, 7 }, { DTYPE_BF16, 32 },
};

struct writer {
    struct merger *x;
    const struct merge_opts *o;
    const struct gguf *from; /* the base's file; NULL: it is none */
    const struct gguf_arch *arch;
    struct gguf_out file;
    struct merge_tensor *item; /* of each tensor of o->desc */
    float *factor;             /* of the rotary frequencies, or NULL */
    size_t n_wide;             /* matrices that are F16 instead of Q8_0 */
    struct err *e;
};

static int
find_arch(struct writer *w)
{
    const char *type = w->o->desc->family->model_type;
    int rc = 0;

    if (w->from != NULL)
        rc = gguf_arch_find(&w->arch, w->from, w->e);
    else
        w->arch = gguf_arch_of(type);
    if (rc < 0)
        return rc;
    if (w->arch == NULL || w->arch->unread || w->arch->experts)
        return err_set(w->e, ERR_USAGE, "%s: models of type %s are not "
                       "written as GGUF", w->o->base->path, type);
    return 0;
}

/* What our reader would take, and llama.cpp does not. */
static int
check_places(struct writer *w)
{
    const struct model_desc *d = w->o->desc;
    const struct gguf_arch *a = w->arch;

    if (a->own_head && d->tied)
        return err_set(w->e, ERR_USAGE, "%s: a GGUF file of architecture %s "
                       "has no place for a head that is the embedding "
                       "(tie_word_embeddings)", w->o->base->path, a->name);
    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];

        if (!module_is_linear(d, m) || a->bias == GGUF_BIAS_ANY
            || m->has_bias == (a->bias == GGUF_BIAS_ALL))
            continue;
        return err_set(w->e, ERR_USAGE, "%s: a GGUF file of architecture %s "
                       "%s a bias of %s", w->o->base->path, a->name,
                       m->has_bias ? "has no place for" : "needs", m->name);
    }
    return 0;
}

/* ---- tensors ---- */

/* What is no matrix of weights is in F32, as llama.cpp's converter has it. */
static unsigned
type_for(struct writer *w, const struct model_tensor *t, unsigned dtype)
{
    const struct module *m = &w->o->desc->module[t->module];

    if (t->n_dims < 2 || m->role == ROLE_POS)
        return DTYPE_F32;
    if (dtype != DTYPE_Q8_0 || m->in % dtype_unit(dtype) == 0)
        return dtype;
    w->n_wide++;
    return DTYPE_F16;
}

/* The item of a tensor of the description, from that of the base's tensor. */
static void
set_item(struct writer *w, size_t i)
{
    const struct model_desc *d = w->o->desc;
    const struct model_tensor *t = &d->tensor[i];
    const struct module *m = &d->module[t->module];
    struct merge_tensor *item = &w->item[i];

    *item = *merge_item(w->x, t->name);
    item->dtype = type_for(w, t, item->dtype);
    item->turn = m->in_out && t->n_dims == 2;
    if (w->arch->paired && (m->role == ROLE_Q || m->role == ROLE_K))
        item->heads = m->role == ROLE_Q ? d->layer[m->layer].heads
                                        : d->layer[m->layer].kv_heads;
}

static uint32_t
gguf_type_of(unsigned dtype)
{
    const struct gguf_format *f;
    uint32_t type = 0;

    while ((f = gguf_format(type)) == NULL || f->dtype != dtype)
        type++;
    return type;
}

static int
list_tensor(struct writer *w, size_t i)
{
    const struct model_desc *d = w->o->desc;
    const struct model_tensor *t = &d->tensor[i];
    const struct module *m = &d->module[t->module];
    const struct merge_tensor *item = &w->item[i];
    uint64_t ne[2] = { item->t->shape[item->t->n_dims - 1],
                       item->t->shape[0] };
    struct buf name;
    int rc;

    if (item->turn) {
        ne[1] = ne[0];
        ne[0] = item->t->shape[0];
    }
    buf_init(&name);
    if (m->weight == i)
        gguf_weight_name(&name, m);
    else
        gguf_bias_name(&name, m);
    rc = gguf_out_tensor(&w->file, name.data, gguf_type_of(item->dtype),
                         t->n_dims, ne, w->e);
    buf_release(&name);
    return rc;
}

static int
list_tensors(struct writer *w)
{
    const struct model_desc *d = w->o->desc;
    uint64_t pairs = d->rope[0].pairs;
    int rc = gguf_rope_factors(&w->factor, w->o->base, d, w->e);

    if (rc == 0 && w->factor != NULL)
        rc = gguf_out_tensor(&w->file, GGUF_ROPE_FREQS,
                             gguf_type_of(DTYPE_F32), 1, &pairs, w->e);
    w->item = mem_array(d->n_tensors + 1, sizeof(*w->item));
    for (size_t i = 0; i < d->n_tensors && rc == 0; i++) {
        set_item(w, i);
        rc = list_tensor(w, i);
    }
    return rc;
}

/* ---- keys ---- */

static bool
begins(struct gguf_text name, const char *with)
{
    return name.n >= strlen(with) && memcmp(name.p, with, strlen(with)) == 0;
}

/* A key of the base's file that is true of the merged one, too. */
static bool
is_kept(const struct gguf_key *k)
{
    static const char *const other[] = { "general.alignment",
                                         "general.file_type",
                                         "general.quantization_version" };

    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (gguf_text_is(k->name, other[i]))
            return false;
    return !begins(k->name, "quantize.") && !begins(k->name, "split.")
           && !begins(k->name, "graft.");
}

/* The type that most of the weights are to have. */
static unsigned
main_type(const struct writer *w)
{
    const struct model_desc *d = w->o->desc;

    for (size_t i = 0; i < d->n_tensors; i++)
        if (d->tensor[i].flags & TENSOR_LINEAR)
            return w->item[i].dtype;
    return DTYPE_F32;
}

static void
put_made(struct writer *w)
{
    unsigned dtype = w->o->dtype == DTYPE_Q8_0 ? DTYPE_Q8_0 : main_type(w);
    size_t i = 0;

    while (file_types[i].dtype != dtype)
        i++;
    gguf_out_u32(&w->file, "general.file_type", file_types[i].number);
    if (dtype == DTYPE_Q8_0)
        gguf_out_u32(&w->file, "general.quantization_version", 2);
    for (i = 0; i < w->o->n_meta; i++)
        gguf_out_string(&w->file, w->o->meta[i].key, w->o->meta[i].value);
}

static int
put_keys(struct writer *w)
{
    const struct merge_opts *o = w->o;
    int rc;

    if (w->from != NULL) {
        for (size_t i = 0; i < w->from->n_keys; i++)
            if (is_kept(&w->from->key[i]))
                gguf_out_key(&w->file, &w->from->key[i]);
        return gguf_has_tokenizer(w->from)
               ? 0 : err_set(w->e, ERR_USAGE, "%s: has no tokenizer, which a "
                             "GGUF file needs", o->base->path);
    }
    rc = gguf_put_config(&w->file, w->arch, o->base, o->desc, w->e);
    return rc < 0 ? rc : gguf_put_tokenizer(&w->file, o->base, o->desc->vocab,
                                            w->e);
}

/* ---- what comes back ---- */

static bool
same_rope(const struct rope_desc *a, const struct rope_desc *b)
{
    bool same = a->pairs == b->pairs
                && fabs(a->factor - b->factor) <= CLOSE * a->factor;

    for (uint32_t i = 0; i < a->pairs && same; i++)
        same = fabsf(a->freq[i] - b->freq[i]) <= (float)CLOSE * a->freq[i];
    return same;
}

static bool
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fabs(a);
}

/* The tokens that a query of layer l sees, or 0 where it is all there are. */
static uint32_t
window_of(const struct model_desc *d, uint32_t l)
{
    return d->layer[l].window < d->max_pos ? d->layer[l].window : 0;
}

/* The setting that b has not as a has it; NULL: none. */
static const char *
find_other(const struct model_desc *a, const struct model_desc *b)
{
    if (a->act != b->act)
        return "activation";
    if (a->tied != b->tied)
        return "tie_word_embeddings";
    if (!is_near((double)a->eps, (double)b->eps))
        return "epsilon";
    if (!is_near((double)a->attn_scale, (double)b->attn_scale)
        || !is_near(a->embed_scale, b->embed_scale)
        || !is_near(a->residual_scale, b->residual_scale)
        || !is_near(a->hidden_scale, b->hidden_scale))
        return "scale";
    if (a->pos != b->pos || !same_rope(&a->rope[0], &b->rope[0]))
        return "rotary settings";
    for (uint32_t l = 0; l < a->n_layers; l++)
        if (window_of(a, l) != window_of(b, l))
            return "sliding_window";
    return a->n_tensors == b->n_tensors ? NULL : "tensors";
}

static int
not_back(const struct writer *w)
{
    return err_prefix(w->e, "%s: doesn't come back from a GGUF file",
                      w->o->base->path);
}

static int
check_back(const struct writer *w, const struct weights *back)
{
    struct model_desc d;
    const char *other;
    size_t unused;
    int rc = base_describe(&d, &unused, back, w->e);

    if (rc < 0)
        return not_back(w);
    other = find_other(w->o->desc, &d);
    if (other != NULL)
        rc = err_set(w->e, ERR_USAGE, "%s: a GGUF file of architecture %s "
                     "has no place for its %s", w->o->base->path,
                     w->arch->name, other);
    else if (w->from == NULL && weights_asset(back, "tokenizer.json") == NULL)
        rc = err_set(w->e, ERR_DATA, "%s: its tokenizer.json doesn't come "
                     "back from a GGUF file", w->o->base->path);
    desc_release(&d);
    return rc;
}

/* The file has its head and the factors, and holes for the rest. */
static int
read_back(struct writer *w, struct out *out)
{
    uint64_t size = out->at;
    struct weights back;
    int rc = out_flush(out, w->e);

    for (size_t i = 0; i < w->file.tensors.n; i++)
        size += size_round(w->file.tensors.entry[i].value, GGUF_OUT_ALIGN);
    if (w->factor != NULL)
        size -= size_round(w->file.tensors.entry[0].value, GGUF_OUT_ALIGN);
    if (rc == 0 && ftruncate(out->fd, (off_t)size) < 0)
        rc = err_errno(w->e, ERR_IO, "%s", out->path);
    if (rc < 0)
        return rc;
    if (weights_open(&back, out->temp, w->e) < 0)
        return not_back(w);
    rc = check_back(w, &back);
    weights_release(&back);
    return rc;
}

/* ---- the file ---- */

static int
start(struct writer *w, struct out *out)
{
    const struct rope_desc *r = &w->o->desc->rope[0];
    int rc = find_arch(w);

    if (rc == 0)
        rc = check_places(w);
    if (rc == 0)
        rc = merge_items(w->x, w->e);
    if (rc == 0)
        rc = put_keys(w);
    if (rc == 0)
        rc = list_tensors(w);
    if (rc < 0)
        return rc;
    put_made(w);
    rc = gguf_out_start(&w->file, out, w->e);
    if (rc == 0 && w->factor != NULL)
        rc = gguf_out_data(&w->file, w->factor,
                           r->pairs * sizeof(*w->factor), w->e);
    return rc < 0 ? rc : read_back(w, out);
}

static int
write_data(void *ctx, const void *p, size_t n, struct err *e)
{
    struct writer *w = ctx;

    w->x->bytes += n;
    return gguf_out_data(&w->file, p, n, e);
}

static int
put_tensor(struct writer *w, const struct merge_tensor *item)
{
    const struct merge_sink sink = { write_data, w };
    const struct weights *base = w->o->base;
    int rc = weights_ready(base, item->t, w->e);

    if (rc < 0)
        return rc;
    rc = merge_tensor_put(item, w->x->counts, &sink, w->e);
    weights_done(base, item->t);
    return rc == ERR_DATA ? err_prefix(w->e, "%s", base->path) : rc;
}

int
merge_write_gguf(struct out *out, const struct merge_opts *o,
                 struct merge_counts *n, uint64_t *bytes, struct err *e)
{
    struct merger x = { .o = o, .counts = n };
    struct writer w = { .x = &x, .o = o, .e = e };
    int rc;

    if (o->base->source->gguf.n_tensors > 0)
        w.from = &o->base->source->gguf;
    gguf_out_init(&w.file, out->path);
    rc = start(&w, out);
    if (rc == 0 && w.n_wide > 0)
        log_warn("%zu matrices are in f16: their rows are no whole blocks of "
                 "32", w.n_wide);
    if (rc == 0 && window_of(o->desc, 0) > 0)
        log_warn("llama.cpp doesn't keep the window of %u tokens: longer "
                 "texts come out otherwise there", window_of(o->desc, 0));
    for (size_t i = 0; i < o->desc->n_tensors && rc == 0; i++)
        rc = put_tensor(&w, &w.item[i]);
    if (rc == 0)
        rc = gguf_out_finish(&w.file, e);
    *bytes = x.bytes;
    n->tensors = o->desc->n_tensors;
    gguf_out_release(&w.file);
    free(x.item);
    free(w.item);
    free(w.factor);
    return rc;
}
