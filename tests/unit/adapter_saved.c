/* adapter_saved.c - modules trained in full: which ones names mean, and
 * whether an adapter has all that a model needs of them. */
#include "weights/adapter_saved.h"

#include "test.h"
#include "tiny_model.h"
#include "weights/lora.h"

static struct adapter
saving(const char *const *name, size_t n)
{
    return (struct adapter){ .rank = 2, .alpha = 2,
                             .save = (const char **)name, .n_save = n };
}

/* Modules that one name makes whole; -1: refused, which says part. */
static int
n_whole(const struct model_desc *d, const char *name, const char *part)
{
    struct adapter a = saving(&name, 1);
    struct lora_part *parts;
    struct prog_opts o;
    struct err e = { 0 };
    int n = 0;

    if (lora_opts(&o, &a, d, &parts, &e) < 0) {
        if (!CHECK(e.code == ERR_USAGE && strstr(e.text, part)))
            CHECK_STR(e.text, part);
        return -1;
    }
    for (size_t i = 0; i < d->n_modules; i++) {
        CHECK(!parts[i].whole || parts[i].rank == 0);
        n += parts[i].whole;
    }
    free(parts);
    return n;
}

TEST(names_mean_what_ends_so)
{
    struct model_desc d;
    struct err e;

    CHECK(desc_read(&d, tiny_llama, strlen(tiny_llama), "c", &e) == 0);
    CHECK(n_whole(&d, "lm_head", "") == 1);
    CHECK(n_whole(&d, "norm", "") == 2 * (int)d.n_layers + 1);
    CHECK(n_whole(&d, "layernorm", "") == 2 * (int)d.n_layers);
    CHECK(n_whole(&d, "layers.1.input_layernorm", "") == 1);
    CHECK(n_whole(&d, "k_proj", "") == (int)d.n_layers);
    CHECK(n_whole(&d, "proj", "to be saved, and a target, too") == -1);
    CHECK(n_whole(&d, "lm_hea", "'lm_hea' is none that a llama has") == -1);
    CHECK(n_whole(&d, "mlp", "'mlp' holds model.layers.0.mlp.gate_proj")
          == -1);
    desc_release(&d);
}

TEST(one_of_two_that_are_one)
{
    const char *const head = "lm_head", *const norm = "ln_f";
    struct adapter a = saving(&head, 1), b = saving(&norm, 1);
    struct model_desc d;
    struct err e;

    CHECK(desc_read(&d, tiny_gpt2, strlen(tiny_gpt2), "c", &e) == 0);
    CHECK(d.tied && adapter_unties(&a, &d) && !adapter_unties(&b, &d));
    a.tied = true;
    CHECK(!adapter_unties(&a, &d));
    CHECK(n_whole(&d, "lm_head", "") == 2); /* and the embedding */
    desc_untie(&d);
    CHECK(!adapter_unties(&a, &d));
    CHECK(n_whole(&d, "lm_head", "") == 1);
    desc_release(&d);
}

static struct adapter_tensor
tensor(const char *name, uint64_t rows, uint64_t cols, const float *data)
{
    return (struct adapter_tensor){ .name = name, .n_dims = 1 + (rows > 1),
                                    .rows = rows, .cols = cols,
                                    .data = data };
}

/* What adapter_match_saved says of these tensors. */
static void
check_match(const struct model_desc *d, struct adapter *a,
            struct adapter_tensor *whole, size_t n, const char *part)
{
    struct err e = { .text = "" };
    int rc;

    a->whole = whole;
    a->n_whole = n;
    rc = adapter_match_saved(a, d, &e);
    CHECK(rc == (part ? ERR_DATA : 0));
    if (part && !strstr(e.text, part))
        CHECK_STR(e.text, part);
}

TEST(a_model_finds_all_of_its_tensors)
{
    const char *const save[] = { "wte", "ln_f" };
    static const float x[61 * 24], y[61 * 24] = { 1 };
    struct adapter a = saving(save, 2);
    struct model_desc d;
    struct err e;

    CHECK(desc_read(&d, tiny_gpt2, strlen(tiny_gpt2), "c", &e) == 0);
    CHECK((uint64_t)d.vocab * d.dim <= 61 * 24);
    {
        struct adapter_tensor all[] = {
            tensor("transformer.ln_f.weight", 1, d.dim, x),
            tensor("transformer.ln_f.bias", 1, d.dim, x),
            tensor("transformer.wte.weight", d.vocab, d.dim, x),
            tensor("lm_head.weight", d.vocab, d.dim, x),
        };

        a.tied = true;
        check_match(&d, &a, all, 4, NULL);
        check_match(&d, &a, all, 3, "has transformer.wte and no lm_head");
        all[3].data = y;
        check_match(&d, &a, all, 4, "lm_head.weight and "
                    "transformer.wte.weight of the adapter differ");
        desc_untie(&d);
        a.tied = false;
        check_match(&d, &a, all, 4, NULL);
        check_match(&d, &a, all, 3, NULL);
        check_match(&d, &a, all, 2, "transformer.wte.weight is missing");
        check_match(&d, &a, all + 1, 3, "ln_f.weight is missing");
        all[2].rows--;
        check_match(&d, &a, all, 3, "in the base");
        all[2].name = "transformer.wtf.weight";
        check_match(&d, &a, all, 3, "the base has no such tensor");
    }
    desc_release(&d);
}

static const struct test tests[] = {
    RUN(names_mean_what_ends_so), RUN(one_of_two_that_are_one),
    RUN(a_model_finds_all_of_its_tensors),
};

TEST_MAIN("adapter_saved", tests)
