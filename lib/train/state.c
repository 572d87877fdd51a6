/* state.c - the members of struct train_state, by name. */
#include "train/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"

#define MAX_JSON (1 << 20)

/* The counters of struct train_state by name. */
static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    { "step", offsetof(struct train_state, step) },
    { "updates", offsetof(struct train_state, updates) },
    { "tokens", offsetof(struct train_state, tokens) },
    { "supervised", offsetof(struct train_state, supervised) },
    { "skipped", offsetof(struct train_state, skipped) },
    { "bad", offsetof(struct train_state, bad) },
    { "bad_row", offsetof(struct train_state, bad_row) },
    { "metrics", offsetof(struct train_state, metrics) },
    { "evaluated", offsetof(struct train_state, evaluated) },
    { "line_supervised", offsetof(struct train_state, line_supervised) },
    { "epoch", offsetof(struct train_state, cursor.epoch) },
    { "window", offsetof(struct train_state, cursor.window) },
    { "row", offsetof(struct train_state, cursor.row) },
    { "has_first", offsetof(struct train_state, val.has_first) },
    { "best_step", offsetof(struct train_state, val.best_step) },
    { "worse", offsetof(struct train_state, val.worse) },
    { "over", offsetof(struct train_state, val.over) },
    { "plateau_seen", offsetof(struct train_state, val.plateau_seen) },
    { "plateau_bad", offsetof(struct train_state, val.plateau_bad) },
    { "plateau_cuts", offsetof(struct train_state, val.plateau_cuts) },
    { "spike_n", offsetof(struct train_state, spikes.n) },
    { "spikes", offsetof(struct train_state, spikes.count) },
    { "trend_n", offsetof(struct train_state, trend.n) },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Its numbers, which are finite. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "line_loss", offsetof(struct train_state, line_loss) },
    { "first", offsetof(struct train_state, val.first) },
    { "best", offsetof(struct train_state, val.best) },
    { "plateau_best", offsetof(struct train_state, val.plateau_best) },
    { "spike_mean", offsetof(struct train_state, spikes.mean) },
    { "spike_variance", offsetof(struct train_state, spikes.variance) },
    { "line_z_loss", offsetof(struct train_state, line_z_loss) },
    { "line_balance", offsetof(struct train_state, line_balance) },
    { "trend_tokens", offsetof(struct train_state, trend.tokens) },
    { "trend_weight", offsetof(struct train_state, trend.weight) },
    { "trend_x", offsetof(struct train_state, trend.x) },
    { "trend_y", offsetof(struct train_state, trend.y) },
    { "trend_xx", offsetof(struct train_state, trend.xx) },
    { "trend_xy", offsetof(struct train_state, trend.xy) },
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

int
state_write(const char *path, const struct train_state *s,
            const struct id *key, struct err *e)
{
    char hex[ID_HEX + 1];
    struct buf b;
    int rc;

    buf_init(&b);
    buf_addf(&b, "{\"key\": \"%s\"", id_hex(key, hex));
    for (size_t i = 0; i < N_FIELDS; i++) {
        uint64_t v;

        memcpy(&v, (const char *)s + fields[i].offset, sizeof(v));
        buf_addf(&b, ", \"%s\": %" PRIu64, fields[i].name, v);
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double v;

        memcpy(&v, (const char *)s + numbers[i].offset, sizeof(v));
        json_put_number(&b, numbers[i].name, v);
    }
    buf_addstr(&b, "}\n");
    rc = file_write(path, b.data, b.len, e);
    buf_release(&b);
    return rc;
}

int
state_read(const char *path, struct train_state *s, struct id *key,
           struct err *e)
{
    cJSON *root = NULL;
    const cJSON *v;
    int rc = json_user_file(&root, path, MAX_JSON, e);

    if (rc < 0)
        return rc;
    v = cJSON_GetObjectItemCaseSensitive(root, "key");
    if (!cJSON_IsString(v)
        || !id_parse(key, v->valuestring, strlen(v->valuestring)))
        rc = err_set(e, ERR_DATA, "%s: no key", path);
    for (size_t i = 0; i < N_FIELDS && rc == 0; i++) {
        uint64_t n;

        v = cJSON_GetObjectItemCaseSensitive(root, fields[i].name);
        if (!cJSON_IsNumber(v) || v->valuedouble < 0
            || v->valuedouble > 9e15) {
            rc = err_set(e, ERR_DATA, "%s: no %s", path, fields[i].name);
            break;
        }
        n = (uint64_t)v->valuedouble;
        memcpy((char *)s + fields[i].offset, &n, sizeof(n));
    }
    for (size_t i = 0; i < N_NUMBERS && rc == 0; i++) {
        v = cJSON_GetObjectItemCaseSensitive(root, numbers[i].name);
        if (!cJSON_IsNumber(v)) {
            rc = err_set(e, ERR_DATA, "%s: no %s", path, numbers[i].name);
            break;
        }
        memcpy((char *)s + numbers[i].offset, &v->valuedouble,
               sizeof(v->valuedouble));
    }
    cJSON_Delete(root);
    return rc;
}
