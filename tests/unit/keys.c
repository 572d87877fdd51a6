/* keys.c - every key of the configurations that we read, set to good values and
 * bad ones: where transformers or PEFT compute something else, so do we or we
 * refuse; what they refuse is refused; else nothing changes.
 *
 * golden/keys.py says how tests/golden/keys.json was made, golden/models.py
 * the models. Run from the top of the source tree.
 */
#include <stdlib.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/family.h"
#include "tensor/modeldir.h"
#include "test.h"
#include "weights/adapter.h"
#include "weights/base.h"

#define ROWS "tests/golden/keys.json"
#define MODELS "tests/golden/models/"
#define DIR "keys-test.tmp"

enum result { SAME, DIFFERS, REFUSED };

/* Where we are stricter than the library: it runs, and nothing changes.
 * Values without a meaning or of another type; what is not implemented for
 * adapters, or not known; tensors that are missing and get initial values
 * there; what shows in longer texts alone, or in layers of another kind; what
 * transformers 4 takes otherwise (pruned_heads, a type of rotary
 * settings that is absent or set for a type of layers); what training alone
 * would show. */
static const char *const stricter[] = {
    "add_cross_attention true", "attention_bias true",
    "attention_dropout -1", "attn_pdrop -1", "attn_logit_softcapping 1",
    "bias \"all\"", "bias \"lora_only\"",
    "decoder_sparse_step -1", "embd_pdrop -1",
    "expand -1", "expand 0", "expand 1", "expert_layer_offset -1",
    "fan_in_fan_out \"true\"", "head_dim 0", "initializer_range -1",
    "is_causal false",
    "layer_types [\"chunked_attention\",\"chunked_attention\"]",
    "lora_bias true", "lora_dropout true",
    "max_position_embeddings -1", "max_position_embeddings 0",
    "max_window_layers -1", "mlp_bias true", "no_such_key 1",
    "per_layer_config {\"1\":{\"sliding_window\":2}}",
    "num_experts -1", "num_experts 0", "num_experts_per_tok -1",
    "num_experts_per_tok 0", "original_max_position_embeddings -1",
    "original_max_position_embeddings 0", "pretraining_tp -1",
    "pretraining_tp 0",
    "pruned_heads {\"0\":[0]}",
    "rank_pattern {\"none\":2}",
    "rope_parameters {\"full_attention\":"
    "{\"rope_type\":\"default\",\"rope_theta\":77}}",
    "rope_parameters {\"full_attention\":{\"rope_type\":\"llama3\","
    "\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
    "\"original_max_position_embeddings\":16},\"sliding_attention\":null}",
    "rope_parameters {\"sliding_attention\":{\"rope_type\":\"yarn\","
    "\"factor\":4,\"original_max_position_embeddings\":16,"
    "\"rope_theta\":77}}",
    "rope_local_base_freq 0", "rope_local_base_freq null",
    "rope_scaling {\"factor\":2}",
    "rope_scaling {\"rope_type\":\"dynamic\",\"factor\":2}",
    "rope_theta \"x\"", "rope_theta 0", "rope_theta null",
    "router_aux_loss_coef -1", "router_jitter_noise -1",
    "router_jitter_noise 0.125", "sliding_window -1", "sliding_window 0",
    "summary_first_dropout -1",
    "time_step_floor -1",
    "time_step_init_scheme \"x\"", "time_step_rank \"2\"",
    "time_step_scale -1",
    "use_qalora true", "use_rslora 0", NULL
};

struct row {
    const cJSON *item;
    const char *model, *key;
    const cJSON *value;
    enum result result;
};

static struct row
row_of(const cJSON *item)
{
    const char *result = cJSON_GetArrayItem(item, 3)->valuestring;

    return (struct row){
        item, cJSON_GetArrayItem(item, 0)->valuestring,
        cJSON_GetArrayItem(item, 1)->valuestring,
        cJSON_GetArrayItem(item, 2),
        strcmp(result, "same") == 0 ? SAME
        : strcmp(result, "differs") == 0 ? DIFFERS : REFUSED
    };
}

static bool
is_stricter(const struct row *r)
{
    char *value = cJSON_PrintUnformatted(r->value), text[256];
    bool found = false;

    snprintf(text, sizeof(text), "%s %s", r->key, value);
    for (size_t i = 0; stricter[i] != NULL && !found; i++)
        found = strcmp(stricter[i], text) == 0;
    cJSON_free(value);
    return found;
}

/* What we did against what they did. */
static void
check_row(const struct row *r, enum result got, const char *text)
{
    static const char *const names[] = { "same", "differs", "refused" };
    char *row;
    bool ok = got == r->result || (got == REFUSED && r->result == DIFFERS)
              || (got == REFUSED && is_stricter(r));

    if (CHECK(ok))
        return;
    row = cJSON_PrintUnformatted(r->item);
    printf("    %s: here %s %s\n", row, names[got],
           got == REFUSED ? text : "");
    cJSON_free(row);
}

/* {...} with the row's key; to be freed by cJSON_free. */
static char *
with_key(const char *config, const struct row *r)
{
    cJSON *root = cJSON_Parse(config);
    char *text;

    cJSON_DeleteItemFromObjectCaseSensitive(root, r->key);
    cJSON_AddItemToObject(root, r->key, cJSON_Duplicate(r->value, true));
    text = cJSON_Print(root);
    cJSON_Delete(root);
    return text;
}

static cJSON *
rows_open(void)
{
    cJSON *rows = NULL;
    struct err e;

    if (!CHECK(json_user_file(&rows, ROWS, 1 << 24, &e) == 0)) {
        printf("%s\n", e.text);
        exit(1);
    }
    CHECK(cJSON_GetArraySize(rows) > 1000);
    return rows;
}

/* Models */

static bool
same_modules(const struct model_desc *a, const struct model_desc *b)
{
    if (a->n_modules != b->n_modules)
        return false;
    for (size_t i = 0; i < a->n_modules; i++) {
        const struct module *x = &a->module[i], *y = &b->module[i];

        if (strcmp(x->name, y->name) != 0 || x->in != y->in
            || x->out != y->out || x->bias != y->bias
            || x->weight != y->weight)
            return false;
    }
    return true;
}

static bool
same_rope(const struct rope_desc *a, const struct rope_desc *b)
{
    return a->pairs == b->pairs
           && memcmp(&a->factor, &b->factor, sizeof(a->factor)) == 0
           && (a->pairs == 0
               || memcmp(a->freq, b->freq, a->pairs * sizeof(*a->freq)) == 0);
}

static bool
same_scales(const struct model_desc *a, const struct model_desc *b)
{
    const double x[] = { (double)a->attn_scale, a->embed_scale,
                         a->residual_scale, a->hidden_scale,
                         (double)a->step_low, (double)a->step_high };
    const double y[] = { (double)b->attn_scale, b->embed_scale,
                         b->residual_scale, b->hidden_scale,
                         (double)b->step_low, (double)b->step_high };

    return memcmp(x, y, sizeof(x)) == 0;
}

/* Whether both compute the same. */
static bool
same_desc(const struct model_desc *a, const struct model_desc *b)
{
    if (a->n_layers != b->n_layers || !same_modules(a, b)
        || !same_rope(&a->rope[0], &b->rope[0])
        || !same_rope(&a->rope[1], &b->rope[1]) || a->act != b->act
        || a->tied != b->tied || memcmp(&a->eps, &b->eps, sizeof(a->eps))
        || a->route_norm != b->route_norm || !same_scales(a, b))
        return false;
    for (uint32_t l = 0; l < a->n_layers; l++) {
        const struct layer_desc *x = &a->layer[l], *y = &b->layer[l];

        if (x->heads != y->heads || x->kv_heads != y->kv_heads
            || x->head_dim != y->head_dim || x->window != y->window
            || x->ff_dim != y->ff_dim || x->rope != y->rope
            || x->experts != y->experts || x->top_k != y->top_k
            || x->expert_dim != y->expert_dim
            || x->shared_dim != y->shared_dim || x->groups != y->groups)
            return false;
    }
    return true;
}

struct model_case {
    struct weights weights;
    struct model_desc desc;
    char *config;
};

static void
case_open(struct model_case *c, const char *name)
{
    char path[128];
    struct err e;
    size_t unused;

    snprintf(path, sizeof(path), MODELS "%s", name);
    if (weights_open(&c->weights, path, &e) < 0
        || base_describe(&c->desc, &unused, &c->weights, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    CHECK_EQ_U64(unused, 0);
    c->config = mem_strdup(weights_asset(&c->weights, MODELDIR_CONFIG)->data);
}

static void
case_close(struct model_case *c)
{
    free(c->config);
    desc_release(&c->desc);
    weights_release(&c->weights);
}

/* The base with another config. */
static void
set_config(struct weights *w, const char *text)
{
    for (size_t i = 0; i < w->n_assets; i++) {
        if (strcmp(w->asset[i].name, MODELDIR_CONFIG) != 0)
            continue;
        free((char *)w->asset[i].data);
        w->asset[i].data = mem_strdup(text);
        w->asset[i].n = strlen(text);
    }
}

static void
check_model(struct model_case *c, const struct row *r)
{
    char *text = with_key(c->config, r);
    struct model_desc d;
    struct err e = { 0 };
    enum result got = REFUSED;
    size_t unused;

    set_config(&c->weights, text);
    if (base_describe(&d, &unused, &c->weights, &e) == 0) {
        got = same_desc(&c->desc, &d) ? SAME : DIFFERS;
        desc_release(&d);
    } else {
        CHECK_EQ_U64((uint64_t)-e.code, (uint64_t)-ERR_DATA);
    }
    check_row(r, got, e.text);
    cJSON_free(text);
}

TEST(keys_of_models)
{
    cJSON *rows = rows_open(), *item;
    struct model_case c = { 0 };
    const char *open = NULL;

    log_setup("keys", -1);
    cJSON_ArrayForEach(item, rows) {
        struct row r = row_of(item);

        if (strcmp(r.model, "lora") == 0)
            continue;
        if (open == NULL || strcmp(open, r.model) != 0) {
            if (open != NULL)
                case_close(&c);
            case_open(&c, open = r.model);
        }
        check_model(&c, &r);
    }
    case_close(&c);
    cJSON_Delete(rows);
}

/* Adapters: of the llama, with the matrices of its golden file. */

#define PREFIX "lora."
#define END_A ".lora_A.weight"

static void
adapter_make(struct adapter *a, const struct safetensors *golden)
{
    memset(a, 0, sizeof(*a));
    a->rank = 4;
    a->alpha = 8;
    a->item = mem_array(golden->n, sizeof(*a->item));
    for (size_t i = 0; i < golden->n; i++) {
        const struct safetensor *t = &golden->item[i], *b;
        size_t n = strlen(t->name), end = strlen(END_A);
        char *name = mem_strdup(t->name);

        if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 && n > end
            && strcmp(name + n - end, END_A) == 0) {
            name[n - strlen("A.weight")] = 'B';
            b = safetensors_find(golden, name);
            CHECK(b != NULL);
            a->item[a->n++] = (struct adapter_module){
                mem_dup(name + strlen(PREFIX), n - end - strlen(PREFIX)),
                (uint32_t)t->shape[1], (uint32_t)b->shape[0],
                a->rank, a->alpha, safetensors_data(golden, t),
                safetensors_data(golden, b), NULL
            };
        }
        free(name);
    }
    CHECK_EQ_U64(a->n, 14);
}

static bool
same_adapter(const struct adapter *a, const struct adapter *b)
{
    bool same = a->n == b->n && a->rank == b->rank;

    for (size_t i = 0; i < b->n && same; i++) {
        size_t k = 0;

        while (k < a->n && strcmp(a->item[k].name, b->item[i].name) != 0)
            k++;
        same = k < a->n && a->item[k].rank == b->item[i].rank
               && !(adapter_scale(a, &a->item[k])
                    < adapter_scale(b, &b->item[i])
                    || adapter_scale(a, &a->item[k])
                    > adapter_scale(b, &b->item[i]));
    }
    return same;
}

static void
check_adapter(const struct adapter *want, const char *config,
              const struct row *r)
{
    char *text = with_key(config, r);
    struct adapter a;
    struct err e = { 0 };
    enum result got = REFUSED;

    CHECK(file_write(DIR "/" ADAPTER_CONFIG, text, strlen(text), &e) == 0);
    if (adapter_read(&a, DIR, &e) == 0) {
        got = same_adapter(want, &a) ? SAME : DIFFERS;
        adapter_release(&a);
    } else {
        CHECK_EQ_U64((uint64_t)-e.code, (uint64_t)-ERR_DATA);
    }
    check_row(r, got, e.text);
    cJSON_free(text);
}

TEST(keys_of_adapters)
{
    cJSON *rows = rows_open(), *item;
    struct safetensors golden;
    struct adapter a;
    struct buf config;
    struct err e;

    buf_init(&config);
    CHECK(safetensors_open(&golden, MODELS "llama/golden.safetensors",
                           SAFETENSORS_MAX_HEADER, &e) == 0);
    adapter_make(&a, &golden);
    CHECK(path_remove(DIR, &e) == 0);
    CHECK(adapter_write(&a, DIR, NULL, 0, NULL, &e) == 0);
    CHECK(file_read(&config, DIR "/" ADAPTER_CONFIG, 1 << 20, &e) == 0);
    cJSON_ArrayForEach(item, rows) {
        struct row r = row_of(item);

        if (strcmp(r.model, "lora") == 0)
            check_adapter(&a, config.data, &r);
    }
    CHECK(path_remove(DIR, &e) == 0);
    buf_release(&config);
    adapter_release(&a);
    safetensors_release(&golden);
    cJSON_Delete(rows);
}

static const struct test tests[] = {
    RUN(keys_of_models),
    RUN(keys_of_adapters),
};

TEST_MAIN("keys", tests)
