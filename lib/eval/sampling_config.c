/* sampling_config.c - the keys of generation_config.json that are about the
 * draw of a token; null is as good as absent. */
#include "eval/sampling_config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "model/keys.h"

/* As the file has them. */
struct said {
    double sample, temperature, top_k, top_p, min_p, penalty;
};

#define IN(key, of, member)                                                  \
    .name = key, .kind = of, .flags = KEY_NULL,                              \
    .offset = offsetof(struct said, member)

static const struct key obeyed[] = {
    { IN("do_sample", KEY_BOOL, sample) },
    { IN("temperature", KEY_REAL, temperature), .def = 1, .max = 100,
      .none = 1 },
    { IN("top_k", KEY_COUNT, top_k), .max = INT32_MAX },
    { IN("top_p", KEY_REAL, top_p), .def = 1, .max = 1, .none = 1 },
    { IN("min_p", KEY_REAL, min_p), .max = 1 },
    { IN("repetition_penalty", KEY_REAL, penalty), .def = 1, .min = 0.001,
      .max = 1000, .none = 1 },
    { .name = NULL }
};

/* Keys by which transformers' generate would take other tokens, and numbers
 * with which it would not. */
static const struct other {
    const char *name;
    double neutral;
    bool draws; /* of no effect without do_sample */
} others[] = {
    { "typical_p", 1, true },
    { "epsilon_cutoff", 0, true },
    { "eta_cutoff", 0, true },
    { "top_h", 0, true },
    { "num_beams", 1, false },
    { "penalty_alpha", 0, false },
    { "guidance_scale", 1, false },
    { "dola_layers", 0, false },
    { "no_repeat_ngram_size", 0, false },
    { "encoder_no_repeat_ngram_size", 0, false },
    { "encoder_repetition_penalty", 1, false },
    { "min_length", 0, false },
    { "min_new_tokens", 0, false },
    { "bad_words_ids", 0, false },
    { "force_words_ids", 0, false },
    { "suppress_tokens", 0, false },
    { "begin_suppress_tokens", 0, false },
    { "sequence_bias", 0, false },
    { "forced_bos_token_id", -1, false },
    { "forced_eos_token_id", -1, false },
    { "exponential_decay_length_penalty", 0, false },
    { "stop_strings", 0, false },
    { "watermarking_config", 0, false },
};

static bool
is_neutral(const cJSON *v, double number)
{
    if (v == NULL || cJSON_IsNull(v) || cJSON_IsFalse(v))
        return true;
    if (cJSON_IsArray(v) || cJSON_IsObject(v))
        return v->child == NULL;
    return cJSON_IsNumber(v) && v->valuedouble == number;
}

static void
warn_of_others(const cJSON *root, bool draws, const char *where)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct other *o = &others[i];
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, o->name);
        struct err e;

        if ((o->draws && !draws) || is_neutral(v, o->neutral))
            continue;
        key_error(o->name, v, &e, "none: it is not obeyed");
        log_warn("%s: %s", where, e.text);
    }
}

static int
read_keys(struct sampling *s, const cJSON *root, const char *where,
          struct err *e)
{
    struct said said;

    if (keys_read(&said, obeyed, root, e) < 0)
        return err_prefix(e, "%s", where);
    s->temperature = said.sample != 0 ? said.temperature : 0;
    s->top_k = (uint32_t)said.top_k;
    s->top_p = said.top_p;
    s->min_p = said.min_p;
    s->repetition_penalty = said.penalty;
    warn_of_others(root, said.sample != 0, where);
    return 0;
}

int
sampling_config_read(struct sampling *s, const struct weights *w,
                     struct err *e)
{
    static const char name[] = "generation_config.json";
    const struct weight_asset *a = weights_asset(w, name);
    char *where = path_join(w->path, name);
    cJSON *root = NULL;
    int rc = 0;

    if (a != NULL)
        rc = json_user(&root, a->data, a->n, where, e);
    if (rc == 0)
        rc = read_keys(s, root, where, e);
    cJSON_Delete(root);
    free(where);
    return rc;
}
