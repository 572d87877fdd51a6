/* adapter_config.c - the table of LoraConfig's keys, and which modules
 * target_modules, exclude_modules and layers select, as PEFT matches them. */
#include "weights/adapter_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "model/keys.h"
#include "weights/adapter_tokens.h"
#include "weights/module_pattern.h"

#define MAX_ALPHA 1e9

struct fields {
    double peft_type, r, alpha, dropout, bias, rslora, dora, fan, tied;
    double ignored;
};

#define AT(field) offsetof(struct fields, field)
#define FREE(key) { .name = key, .kind = KEY_FREE }
#define TEXT(key) { .name = key, .kind = KEY_TEXT, .flags = KEY_NULL }
#define FLAG(key, field) \
    { .name = key, .kind = KEY_BOOL, .flags = KEY_NULL, .offset = AT(field) }
#define OBJECT(key) { .name = key, .kind = KEY_OBJECT, .flags = KEY_NULL }
#define OFF(key) { .name = key, .kind = KEY_OFF, .flags = KEY_NULL }
#define WORD(key, field, ...) \
    { .name = key, .kind = KEY_WORD, .offset = AT(field), __VA_ARGS__ }

static const struct key_word peft_types[] = { { "LORA", 0 }, { NULL, 0 } };
static const struct key_word biases[] = { { "none", 0 }, { NULL, 0 } };

static const struct key keys[] = {
    WORD("peft_type", peft_type, .words = peft_types, .flags = KEY_REQUIRED),
    { .name = "r", .kind = KEY_COUNT, .offset = AT(r), .def = 8, .min = 1,
      .max = ADAPTER_MAX_RANK },
    { .name = "lora_alpha", .kind = KEY_REAL, .offset = AT(alpha), .def = 8,
      .min = -MAX_ALPHA, .max = MAX_ALPHA },
    { .name = "lora_dropout", .kind = KEY_DROP, .offset = AT(dropout),
      .max = 1 },
    FLAG("use_rslora", rslora),
    FLAG("use_dora", dora),
    FLAG("fan_in_fan_out", fan),
    WORD("bias", bias, .words = biases),
    FREE("target_modules"), /* these three: adapter_config_selects */
    FREE("exclude_modules"),
    FREE("layers_to_transform"),
    FREE("init_lora_weights"), /* check_init */
    FREE("modules_to_save"), /* read_names */
    FREE("trainable_token_indices"), /* adapter_tokens_config */
    FLAG("ensure_weight_tying", tied),
    OBJECT("rank_pattern"), /* these two: read_patterns */
    OBJECT("alpha_pattern"),
    OFF("alora_invocation_tokens"),
    OFF("arrow_config"),
    OFF("kasa_config"),
    OFF("layer_replication"),
    OFF("layers_pattern"),
    OFF("lora_bias"),
    OFF("lora_ga_config"),
    OFF("megatron_config"),
    OFF("monteclora_config"),
    FREE("target_parameters"), /* adapter_config_selects */
    OFF("use_bdlora"),
    OFF("use_qalora"),
    OFF("velora_config"),
    FREE("auto_mapping"), /* the rest says nothing about the function */
    TEXT("base_model_name_or_path"),
    FREE("corda_config"),
    FREE("eva_config"),
    FLAG("inference_mode", ignored),
    FREE("loftq_config"),
    TEXT("megatron_core"),
    TEXT("peft_version"),
    FREE("qalora_group_size"),
    TEXT("revision"),
    FREE("runtime_config"),
    TEXT("task_type"),
    { .name = NULL }
};

static const cJSON *
key_of(const cJSON *root, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(root, key);
}

/* Not null, not false, not empty. */
static bool
is_set(const cJSON *v)
{
    if (v == NULL || cJSON_IsNull(v) || cJSON_IsFalse(v))
        return false;
    if (cJSON_IsArray(v) || cJSON_IsObject(v))
        return v->child != NULL;
    return true;
}

/* A key that we don't know may mean anything. */
static int
check_unknown(const cJSON *root, struct err *e)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, root)
        if (is_set(v) && key_find(keys, v->string) == NULL)
            return key_error(v->string, v, e,
                             "none: this key is not known");
    return 0;
}

/* Only initialisations that leave the base as it was. */
static int
check_init(const cJSON *root, struct err *e)
{
    static const char *const known[] = { "gaussian", "eva", "orthogonal" };
    const cJSON *v = key_of(root, "init_lora_weights");

    if (v == NULL || cJSON_IsNull(v) || cJSON_IsBool(v))
        return 0;
    for (size_t i = 0; i < 3; i++)
        if (cJSON_IsString(v) && strcmp(v->valuestring, known[i]) == 0)
            return 0;
    return key_error("init_lora_weights", v, e, "one that leaves the base "
                     "as it was: a flag, gaussian, eva, orthogonal");
}

/* A list of strings. */
static int
read_names(const char ***name, size_t *n, const cJSON *list, const char *key,
           struct err *e)
{
    const cJSON *item;

    if (!cJSON_IsArray(list))
        return key_error(key, list, e, "a list of strings");
    *name = mem_array((size_t)cJSON_GetArraySize(list) + 1, sizeof(**name));
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item) || item->valuestring[0] == '\0')
            return key_error(key, item, e, "a list of strings");
        (*name)[(*n)++] = mem_strdup(item->valuestring);
    }
    return 0;
}

static int
read_saved(struct adapter *a, const cJSON *root, struct err *e)
{
    const cJSON *v = key_of(root, "modules_to_save");

    return v == NULL || cJSON_IsNull(v) ? 0
           : read_names(&a->save, &a->n_save, v, "modules_to_save", e);
}

/* A list of strings or one string. */
static int
read_targets(struct adapter *a, const cJSON *root, struct err *e)
{
    const cJSON *v = key_of(root, "target_modules");

    if (cJSON_IsString(v)) {
        a->target = mem_array(1, sizeof(*a->target));
        a->target[a->n_targets++] = mem_strdup(v->valuestring);
        a->target_pattern = true;
        return 0;
    }
    return read_names(&a->target, &a->n_targets, v, "target_modules", e);
}

static int
check_parameters(const cJSON *root, struct err *e)
{
    const cJSON *list = key_of(root, "target_parameters"), *item;

    if (list != NULL && !cJSON_IsNull(list) && !cJSON_IsArray(list))
        return key_error("target_parameters", list, e, "a list of strings");
    cJSON_ArrayForEach(item, list)
        if (!cJSON_IsString(item))
            return key_error("target_parameters", item, e,
                             "a list of strings");
    return 0;
}

/* {"PATTERN": number, ...}, the numbers from min to max; whole: whole ones. */
static int
read_patterns(struct adapter_patterns *p, const cJSON *root, const char *key,
              double min, double max, bool whole, struct err *e)
{
    const cJSON *object = key_of(root, key), *v;

    p->item = mem_array((size_t)cJSON_GetArraySize(object) + 1,
                        sizeof(*p->item));
    cJSON_ArrayForEach(v, object) {
        double x = v->valuedouble;

        if (!cJSON_IsNumber(v) || !(x >= min && x <= max)
            || (whole && x > (double)(uint64_t)x))
            return key_error(v->string, v, e, "a %snumber from %g to %g, as "
                             "a value of %s", whole ? "whole " : "", min,
                             max, key);
        p->item[p->n++] = (struct adapter_pattern){ mem_strdup(v->string),
                                                    x };
    }
    return 0;
}

int
adapter_config_keys(struct adapter *a, const cJSON *root, struct err *e)
{
    const cJSON *base = key_of(root, "base_model_name_or_path");
    struct fields f;
    int rc;

    rc = keys_read(&f, keys, root, e);
    if (rc == 0)
        rc = check_unknown(root, e);
    if (rc == 0)
        rc = check_init(root, e);
    if (rc == 0)
        rc = read_targets(a, root, e);
    if (rc == 0)
        rc = read_saved(a, root, e);
    if (rc == 0)
        rc = check_parameters(root, e);
    if (rc == 0)
        rc = adapter_tokens_config(a, key_of(root, "trainable_token_indices"),
                                   e);
    if (rc == 0)
        rc = read_patterns(&a->rank_pattern, root, "rank_pattern", 1,
                           ADAPTER_MAX_RANK, true, e);
    if (rc == 0)
        rc = read_patterns(&a->alpha_pattern, root, "alpha_pattern",
                           -MAX_ALPHA, MAX_ALPHA, false, e);
    if (rc < 0)
        return rc;
    a->rank = (uint32_t)f.r;
    a->alpha = f.alpha;
    a->dropout = f.dropout;
    a->rslora = f.rslora > 0;
    a->dora = f.dora > 0;
    a->tied = f.tied > 0 && a->n_save > 0;
    a->fan_in_fan_out = f.fan > 0;
    a->some_layers = is_set(key_of(root, "layers_to_transform"));
    if (cJSON_IsString(base))
        a->base = mem_strdup(base->valuestring);
    return 0;
}

/* Which modules */

/* *whole: by a whole name. */
static bool
in_list(const cJSON *list, const char *module, bool *whole)
{
    bool found = false;
    const cJSON *v;

    *whole = false;
    cJSON_ArrayForEach(v, list) {
        if (!cJSON_IsString(v) || !module_is_named(module, v->valuestring))
            continue;
        *whole |= strcmp(module, v->valuestring) == 0;
        found = true;
    }
    return found;
}

/* The layer's number in a module's name: the first part that is one, after
 * two that are not. -1: there is none. */
static long
layer_of(const char *module)
{
    const char *p = strchr(module, '.');

    while (p != NULL && (p = strchr(p + 1, '.')) != NULL) {
        size_t n = strspn(p + 1, "0123456789");

        if (n > 0 && p[n + 1] == '.')
            return strtol(p + 1, NULL, 10);
    }
    return -1;
}

static bool
layer_selected(const cJSON *layers, const char *module)
{
    long layer = layer_of(module);
    const cJSON *v;

    if (!cJSON_IsArray(layers))
        return cJSON_IsNumber(layers) && layers->valuedouble >= layer
               && layers->valuedouble <= layer;
    cJSON_ArrayForEach(v, layers)
        if (cJSON_IsNumber(v) && v->valuedouble >= layer
            && v->valuedouble <= layer)
            return true;
    return false;
}

/* By a name of target_parameters: of a module's weight, or of what it is a
 * part of. */
static bool
parameter_selected(const cJSON *list, const char *module)
{
    char name[128];
    bool unused;

    if (!module_parameter(name, module)
        && snprintf(name, sizeof(name), "%s.weight", module)
               >= (int)sizeof(name))
        return false;
    return in_list(list, name, &unused);
}

static int
left_out(const char *module, const char *by, struct err *e)
{
    return err_set(e, ERR_DATA, "%s leaves out module %s, of which the "
                   "adapter has matrices", by, module);
}

int
adapter_config_selects(const cJSON *root, const char *module, struct err *e)
{
    const cJSON *targets = key_of(root, "target_modules");
    const cJSON *exclude = key_of(root, "exclude_modules");
    const cJSON *layers = key_of(root, "layers_to_transform");
    bool hit, whole = false;
    int rc = 0;

    if (parameter_selected(key_of(root, "target_parameters"), module))
        return 0;
    if (cJSON_IsString(exclude))
        rc = module_matches(&hit, exclude->valuestring, module, e);
    else
        hit = in_list(exclude, module, &whole);
    if (rc < 0 || hit)
        return rc < 0 ? rc : left_out(module, "exclude_modules", e);
    if (!cJSON_IsString(targets))
        hit = in_list(targets, module, &whole);
    else if (strcmp(targets->valuestring, "all-linear") == 0)
        hit = true;
    else
        rc = module_matches(&hit, targets->valuestring, module, e);
    if (rc < 0 || !hit)
        return rc < 0 ? rc : left_out(module, "target_modules", e);
    if (is_set(layers) && !whole && !layer_selected(layers, module))
        return left_out(module, "layers_to_transform", e);
    return 0;
}
