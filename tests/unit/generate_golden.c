/* generate_golden.c - the tokens that transformers' generate gives after
 * prompts of several lengths (tests/golden/greedy.json, made by the script
 * beside it), one at a time and side by side. */
#include "base/json.h"
#include "eval/generate.h"
#include "golden_model.h"
#include "model/device.h"

enum { MAX_IDS = 64, CONTEXT = 64 };

struct list {
    int32_t id[MAX_IDS];
    size_t n;
};

static struct list
read_list(const cJSON *v)
{
    struct list l = { .n = 0 };
    const cJSON *item;

    cJSON_ArrayForEach(item, v)
        l.id[l.n++] = (int32_t)item->valuedouble;
    return l;
}

/* Takes texts on until each has as many tokens as wanted, and compares. */
static void
check_texts(struct generator *g, const cJSON *cases, double penalty,
            const char *name)
{
    struct sampling s = { .repetition_penalty = penalty };
    struct list prompt[8], want[8];
    uint32_t n = 0, left;
    const cJSON *c;
    struct err e;

    cJSON_ArrayForEach(c, cases) {
        prompt[n] = read_list(cJSON_GetArrayItem(c, 0));
        want[n++] = read_list(cJSON_GetArrayItem(c, 1));
    }
    for (uint32_t at = 0; at < n; at += g->batch) {
        left = n - at < g->batch ? n - at : g->batch;
        for (uint32_t i = 0; i < left; i++)
            CHECK(generator_begin(g, i, prompt[at + i].id, prompt[at + i].n,
                                  false, &e) == 0);
        for (uint32_t going = left; going > 0;) {
            if (!CHECK(generator_pass(g, &e) == 0))
                return;
            going = left;
            for (uint32_t i = 0; i < left; i++) {
                const struct generator_text *t = &g->text[i];
                const struct list *w = &want[at + i];
                size_t made = t->n - prompt[at + i].n;

                if (made == w->n)
                    going--;
                if (made == w->n || t->logits == NULL)
                    continue;
                if (!CHECK_EQ_U64(generator_next(g, i, &s), w->id[made]))
                    printf("    %s, penalty %g, prompt %zu, token %zu\n",
                           name, penalty, prompt[at + i].n, made);
                generator_add(g, i, w->id[made]);
            }
        }
    }
}

static void
check_model(const cJSON *o, const char *name, uint32_t batch)
{
    struct device_opts device = { .name = "cpu", .compute = "f32" };
    struct backend b;
    struct golden model;
    struct generator g;
    struct err e;

    golden_open(&model, name);
    if (CHECK(device_open(&b, &device, &e) == 0)
        && CHECK(generator_open(&g, &model.desc, &model.base, &b, NULL,
                                batch, CONTEXT, &e) == 0)) {
        check_texts(&g, cJSON_GetObjectItemCaseSensitive(o, "plain"), 1,
                    name);
        check_texts(&g, cJSON_GetObjectItemCaseSensitive(o, "penalty"), 1.5,
                    name);
        generator_release(&g);
        device_close(&b);
    }
    golden_close(&model);
}

/* One at a time; two at a time; five places for four texts. */
TEST(the_likeliest_tokens_are_those_of_transformers)
{
    static const uint32_t batch[] = { 1, 2, 5 };
    cJSON *golden = NULL;
    struct err e;

    if (!CHECK(json_user_file(&golden, "tests/golden/greedy.json", 1 << 20,
                              &e) == 0))
        return;
    CHECK(cJSON_GetArraySize(golden) >= 14);
    for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i++) {
        const cJSON *o;

        cJSON_ArrayForEach(o, golden)
            check_model(o, o->string, batch[i]);
    }
    cJSON_Delete(golden);
}

static const struct test tests[] = {
    RUN(the_likeliest_tokens_are_those_of_transformers),
};

TEST_MAIN("generate_golden", tests)
