/* run_facts.c - the JSON of a run directory, and the way to its data. */
#include "report/run_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "stream/set.h"

#define MAX_JSON (16 << 20)

/* A JSON file of the run; *out stays NULL where it is not there. */
static int
read_json(cJSON **out, const char *run, const char *name, struct err *e)
{
    char *path = path_join(run, name);
    int rc = 0;

    if (path_exists(path))
        rc = json_user_file(out, path, MAX_JSON, e);
    if (rc == 0 && *out && !cJSON_IsObject(*out))
        rc = err_set(e, ERR_DATA, "%s: no JSON object", path);
    free(path);
    return rc;
}

static int
read_config(struct run_facts *r, struct err *e)
{
    int rc = path_exists(r->path)
             ? read_json(&r->config, r->path, "config.json", e)
             : err_set(e, ERR_IO, "%s: no such run or score", r->path);

    if (rc < 0)
        return rc;
    if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(r->config,
                                                         "identity")))
        return err_set(e, ERR_DATA, "%s: no run of train: config.json %s",
                       r->path, r->config ? "has no identity" : "is missing");
    return 0;
}

static int
read_manifest(struct run_facts *r, struct err *e)
{
    int rc = read_json(&r->manifest, r->path, "manifest.json", e);
    const cJSON *type;

    if (rc < 0 || !r->manifest)
        return rc;
    type = cJSON_GetObjectItemCaseSensitive(r->manifest, "type");
    if (!cJSON_IsString(type) || strcmp(type->valuestring, "run") != 0)
        return err_set(e, ERR_DATA, "%s/manifest.json: not the manifest of a "
                       "run", r->path);
    return 0;
}

int
run_facts_read(struct run_facts *r, const char *path, struct err *e)
{
    size_t n = strlen(path);
    char *metrics;
    int rc;

    memset(r, 0, sizeof(*r));
    while (n > 1 && path[n - 1] == '/')
        n--;
    r->path = mem_dup(path, n);
    r->data = NO_SET;
    metrics = path_join(r->path, "metrics.jsonl");
    rc = read_config(r, e);
    if (rc == 0)
        rc = read_manifest(r, e);
    if (rc == 0)
        rc = read_json(&r->adapter, r->path, "adapter/adapter_config.json",
                       e);
    if (rc == 0)
        rc = read_json(&r->profile, r->path, "profile.json", e);
    if (rc == 0)
        rc = metrics_read(&r->metrics, metrics, e);
    free(metrics);
    return rc;
}

void
run_facts_release(struct run_facts *r)
{
    cJSON_Delete(r->config);
    cJSON_Delete(r->manifest);
    cJSON_Delete(r->adapter);
    cJSON_Delete(r->profile);
    metrics_release(&r->metrics);
    free(r->score);
    free(r->path);
    free(r->name);
    memset(r, 0, sizeof(*r));
}

const cJSON *
run_get(const struct run_facts *r, const char *part, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(r->config, part);

    v = cJSON_GetObjectItemCaseSensitive(v, name);
    return cJSON_IsNull(v) ? NULL : v;
}

const char *
run_text(const struct run_facts *r, const char *part, const char *name,
         const char *fallback)
{
    const cJSON *v = run_get(r, part, name);

    return cJSON_IsString(v) ? v->valuestring : fallback;
}

double
run_number(const struct run_facts *r, const char *part, const char *name,
           double fallback)
{
    const cJSON *v = run_get(r, part, name);

    return cJSON_IsNumber(v) ? v->valuedouble : fallback;
}

static double
number_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

double
run_profile_number(const struct run_facts *r, const char *name)
{
    return number_of(r->profile, name);
}

size_t
run_profile(struct profile_line out[PROFILE_ROWS], const struct run_facts *r)
{
    double all = number_of(r->profile, "seconds");
    const cJSON *rows, *row;
    size_t n = 0;

    rows = cJSON_GetObjectItemCaseSensitive(r->profile, "rows");
    cJSON_ArrayForEach(row, rows) {
        double seconds = number_of(row, "seconds");

        if (n == PROFILE_ROWS)
            break;
        out[n++] = (struct profile_line){
            .phase = text_of(row, "phase"), .op = text_of(row, "op"),
            .runs = number_of(row, "runs"), .seconds = seconds,
            .share = seconds / all,
            .flops = number_of(row, "flops") / seconds,
            .bytes = number_of(row, "bytes") / seconds,
            .of_peak = number_of(row, "share_of_peak")
        };
    }
    return n;
}

uint64_t
run_steps(const struct run_facts *r)
{
    double n = run_number(r, "identity", "run_steps", 0);

    return n >= 1 && n <= 9007199254740992.0 ? (uint64_t)n : 0;
}

size_t
run_places(const struct run_facts *r, const char *option, char *out[2])
{
    const char *path = run_text(r, "options", option, NULL);
    const char *run = run_text(r, "options", "out", NULL);
    size_t n = 0, len = strlen(r->path), tail = run ? strlen(run) : 0;

    if (!path)
        return 0;
    out[n++] = mem_strdup(path);
    while (tail > 0 && run[tail - 1] == '/')
        tail--;
    if (path[0] == '/' || tail == 0 || run[0] == '/' || tail >= len
        || memcmp(r->path + len - tail, run, tail) != 0
        || r->path[len - tail - 1] != '/')
        return n;
    out[n] = mem_alloc(len - tail + strlen(path) + 1);
    memcpy(out[n], r->path, len - tail);
    memcpy(out[n++] + len - tail, path, strlen(path) + 1);
    return n;
}

int
set_facts_read(struct set_facts *s, const char *path, const char *id,
               bool *found, struct err *e)
{
    char hex[ID_HEX + 1];
    int rc;

    memset(s, 0, sizeof(*s));
    *found = false;
    if (!set_is(path))
        return 0;
    rc = set_manifest(&s->manifest, path, NULL, e);
    if (rc < 0)
        return rc;
    if (strcmp(id_hex(&s->manifest.content, hex), id) != 0
        || strcmp(s->manifest.head.type, "tokens") != 0) {
        manifest_release(&s->manifest);
        return 0;
    }
    *found = true;
    s->path = mem_strdup(path);
    s->facts = mem_alloc(sizeof(*s->facts));
    rc = card_facts_read(s->facts, &s->manifest, path, e);
    if (rc < 0)
        set_facts_release(s);
    return rc;
}

void
set_facts_release(struct set_facts *s)
{
    if (s->facts)
        card_facts_release(s->facts);
    free(s->facts);
    if (s->path)
        manifest_release(&s->manifest);
    free(s->path);
    memset(s, 0, sizeof(*s));
}
