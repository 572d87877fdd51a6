/* bind.c - the tensors that a description names, found in an opened base: what
 * is not there, has another shape, or a type that nothing computes with. */
#include "weights/base.h"

#include "model/family.h"
#include "test.h"
#include "tiny_model.h"

static const uint16_t scales[64];

struct opened {
    struct tiny_model tiny;
    struct weights weights;
};

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct weight *)a)->name,
                  ((const struct weight *)b)->name);
}

/* The tiny model as a base that names its tensors from `skip` on. */
static void
open_base(struct opened *o, const char *config, size_t skip)
{
    struct weights *w = &o->weights;
    const struct model_desc *d = &o->tiny.desc;

    tiny_open(&o->tiny, config);
    *w = (struct weights){ .path = mem_strdup("tiny"), .n = d->n_tensors,
                           .item = mem_array(d->n_tensors,
                                             sizeof(*w->item)) };
    for (size_t i = 0; i < w->n; i++) {
        const struct model_tensor *t = &d->tensor[i];
        bool body = strncmp(t->name, d->family->body, skip) == 0;

        w->item[i] = (struct weight){
            .name = t->name + (body ? skip : 0), .dtype = DTYPE_F32,
            .n_dims = t->n_dims, .data = o->tiny.base.tensor[i].data,
            .shape = { t->n_dims == 1 ? t->cols : t->rows,
                       t->n_dims == 1 ? 0 : t->n_dims == 2 ? t->cols : 1,
                       t->n_dims == 3 ? t->cols : 0 },
        };
    }
    qsort(w->item, w->n, sizeof(*w->item), by_name);
}

static void
close_base(struct opened *o)
{
    free(o->weights.item);
    free(o->weights.path);
    tiny_close(&o->tiny);
}

TEST(every_tensor_is_where_the_description_has_it)
{
    for (size_t m = 0; m < N_TINY; m++) {
        struct opened o;
        struct frozen f;
        struct err e;

        open_base(&o, tiny_configs[m], m == 1 ? strlen("transformer.") : 0);
        CHECK(base_bind(&f, &o.weights, &o.tiny.desc, &e) == 0);
        CHECK_STR(f.path, "tiny");
        for (size_t i = 0; i < o.tiny.desc.n_tensors; i++) {
            CHECK(f.tensor[i].data == o.tiny.base.tensor[i].data);
            CHECK(f.tensor[i].dtype == DTYPE_F32);
            CHECK(f.tensor[i].side == NULL);
        }
        base_unbind(&f);
        close_base(&o);
    }
}

static void
check_refused(struct opened *o, const char *text)
{
    struct frozen f;
    struct err e = { 0 };

    CHECK(base_bind(&f, &o->weights, &o->tiny.desc, &e) == ERR_DATA);
    CHECK_STR(e.text, text);
    CHECK(f.tensor == NULL);
}

TEST(what_does_not_fit_the_description_is_refused)
{
    struct opened o;
    struct weight *t, was;

    open_base(&o, tiny_gpt2, 0);
    t = (struct weight *)weights_find(&o.weights, "transformer.wpe.weight");
    was = *t;
    t->shape[0]++;
    check_refused(&o, "tiny: tensor transformer.wpe.weight: bad shape (found "
                  "[65, 24], expected [64, 24])");
    *t = was;
    t->n_dims = 1;
    check_refused(&o, "tiny: tensor transformer.wpe.weight: bad shape (found "
                  "[64], expected [64, 24])");
    *t = was;
    t->dtype = DTYPE_I64;
    check_refused(&o, "tiny: tensor transformer.wpe.weight: weights of type "
                  "I64 are not supported");
    t->dtype = DTYPE_I8;
    check_refused(&o, "tiny: tensor transformer.wpe.weight: int8 without "
                  "scales");
    *t = was;
    o.weights.n--; /* the last by name */
    check_refused(&o, "tiny: tensor transformer.wte.weight is missing");
    close_base(&o);
}

TEST(a_vector_has_no_scales)
{
    struct opened o;
    struct weight *t;

    open_base(&o, tiny_llama, 0);
    t = (struct weight *)weights_find(&o.weights, "model.norm.weight");
    t->dtype = DTYPE_I8;
    t->scale = scales;
    check_refused(&o, "tiny: tensor model.norm.weight: a vector in int8");
    close_base(&o);
}

static const struct test tests[] = {
    RUN(every_tensor_is_where_the_description_has_it),
    RUN(what_does_not_fit_the_description_is_refused),
    RUN(a_vector_has_no_scales),
};

TEST_MAIN("bind", tests)
