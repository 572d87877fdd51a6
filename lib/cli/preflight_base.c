/* preflight_base.c - what a base is, as a run would read it. */
#include "cli/preflight.h"

#include "model/family.h"
#include "tensor/stored.h"

#define MAX_FORMATS 16

/* How the tensors are stored: "int8 211 tensors, f32 61". */
static void
say_formats(struct preflight *p)
{
    const struct model *m = &p->in.model;
    size_t count[MAX_FORMATS] = { 0 };
    const struct stored *s;
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < m->desc.n_tensors; i++)
        for (size_t k = 0; k < MAX_FORMATS && (s = stored_at(k)); k++)
            count[k] += s->dtype == m->base.tensor[i].dtype;
    for (size_t k = 0; k < MAX_FORMATS && (s = stored_at(k)); k++)
        if (count[k] > 0)
            buf_addf(&b, "%s%zu tensors in %s", b.len ? ", " : "", count[k],
                     s->name);
    findings_add(&p->findings, FINDING_OK, "base.stored", "%s; %.1f MiB",
                 b.data, (double)m->weights.mapped / (1 << 20));
    findings_value(&p->findings, "bytes", (double)m->weights.mapped);
    buf_release(&b);
}

/* A set is checked against its hashes when it is opened (model.h). */
static void
say_hashes(struct preflight *p)
{
    const struct id *id = weights_known_id(&p->in.model.weights);
    struct findings *f = &p->findings;
    char hex[ID_HEX + 1];

    if (id != NULL && !p->device.plan) {
        findings_add(f, FINDING_OK, "base.hashes", "all its data have the "
                     "hashes of its manifest, %.12s", id_hex(id, hex));
        return;
    }
    findings_add(f, FINDING_NOTE, "base.hashes", "%s", id != NULL
                 ? "not compared, for the device is not there"
                 : "no hashes come with it: damage to it is not seen");
    if (id == NULL)
        findings_remedy(f, "quantize BASE | shard -o DIR makes a base that "
                        "is checked whenever it is opened");
}

void
preflight_base(struct preflight *p)
{
    const struct model *m = &p->in.model;
    const struct model_desc *d = &m->desc;
    struct findings *f = &p->findings;

    findings_add(f, FINDING_OK, "base.model", "%s, %llu parameters, %u "
                 "layers of %u, vocabulary %u, %u positions",
                 d->family->model_type, (unsigned long long)desc_params(d),
                 d->n_layers, d->dim, d->vocab, d->max_pos);
    findings_value(f, "parameters", (double)desc_params(d));
    say_formats(p);
    say_hashes(p);
    if (m->with != NULL)
        findings_add(f, FINDING_OK, "base.adapter", "begins with an adapter "
                     "of rank %u for %zu of %zu linears", m->with->rank,
                     m->with->n, m->linears);
}
