/* inputs.c - opens what a run reads, in the order in which one depends on the
 * other, and tells what of it decides the run's result. */
#include "train/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "tensor/modeldir.h"

int
inputs_open_data(struct run_inputs *in, const struct input_opts *o,
                 struct err *e)
{
    uint32_t vocab = in->model.desc.vocab;
    int rc = dataset_open(&in->data, o->data, e);

    if (o->loss != LOSS_AUTO)
        in->data.loss = o->loss;
    if (rc == 0)
        rc = dataset_check(&in->data, &in->model, e);
    if (rc == 0)
        rc = data_split_open(&in->train, &in->data, "train", 0, vocab, e);
    if (rc == 0)
        rc = mix_open(&in->mix, &in->train, e);
    if (rc == 0)
        rc = data_split_open(&in->val, &in->data, "val", o->eval_records,
                             vocab, e);
    if (rc == 0)
        rc = data_split_cluster(&in->val, e);
    if (rc == 0 && in->train.supervised == 0)
        rc = err_set(e, ERR_DATA, "%s: no token of the training split is "
                     "to be learned (%llu records)", o->data,
                     (unsigned long long)in->train.source.n_records);
    return rc;
}

int
inputs_open(struct run_inputs *in, const struct input_opts *o, struct err *e)
{
    int rc;

    memset(in, 0, sizeof(*in));
    rc = model_open(&in->model, o->base, o->adapter, o->device, e);
    if (rc == 0)
        rc = inputs_open_data(in, o, e);
    if (rc < 0)
        inputs_release(in);
    return rc;
}

void
inputs_release(struct run_inputs *in)
{
    mix_release(&in->mix);
    data_split_release(&in->train);
    data_split_release(&in->val);
    dataset_release(&in->data);
    model_release(&in->model);
}

void
inputs_warn_drops(const struct run_inputs *in)
{
    const struct model_desc *d = &in->model.desc;
    struct buf list;

    if (d->n_drops == 0)
        return;
    buf_init(&list);
    for (uint32_t i = 0; i < d->n_drops; i++)
        buf_addf(&list, "%s%s %g", i ? ", " : "", d->drop[i].key,
                 d->drop[i].p);
    log_warn("%s/" MODELDIR_CONFIG ": %s: not applied (--dropout is the "
             "adapter's)", in->model.weights.path, list.data);
    buf_release(&list);
}

int
inputs_identity(const struct run_inputs *in, struct buf *b, struct err *e)
{
    char hex[ID_HEX + 1];
    struct id id = weights_id(&in->model.weights);
    int rc;

    buf_addf(b, ", \"base_id\": \"%s\"", id_hex(&id, hex));
    buf_addf(b, ", \"data_id\": \"%s\"",
             id_hex(&in->data.set.manifest.content, hex));
    if (in->model.with == NULL)
        return 0;
    rc = adapter_id(&id, in->model.adapter_dir, e);
    if (rc == 0)
        buf_addf(b, ", \"init_adapter_id\": \"%s\"", id_hex(&id, hex));
    return rc;
}
