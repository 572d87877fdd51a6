/* run_compare.c - member by member, so that the message can name one. */
#include "train/run_compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"

#define CONFIG "config.json"
#define MAX_JSON (16 << 20)

/* What a run that is extended may have another value of. */
static bool
is_length(const char *key)
{
    static const char *const keys[] = { "steps", "epochs", "tokens",
                                        "run_steps" };
    bool is = false;

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        is = is || strcmp(key, keys[i]) == 0;
    return is;
}

/* cJSON_Compare takes numbers that are nearly the same for the same. */
static bool
is_same(const cJSON *a, const cJSON *b)
{
    return cJSON_Compare(a, b, true)
           && (!cJSON_IsNumber(a) || (!(a->valuedouble < b->valuedouble)
                                      && !(a->valuedouble > b->valuedouble)));
}

/* The first member of a that b lacks or has another value of. */
static const char *
first_difference(const cJSON *a, const cJSON *b, bool extend)
{
    const cJSON *v;

    cJSON_ArrayForEach(v, a) {
        const cJSON *w = cJSON_GetObjectItemCaseSensitive(b, v->string);

        if ((w == NULL || !is_same(v, w))
            && !(extend && is_length(v->string)))
            return v->string;
    }
    return NULL;
}

/* ERR_DATA's text for a key of two objects. */
static void
say_difference(const char *run, const cJSON *had, const cJSON *want,
               const char *key, const char *advice, enum err_code code,
               struct err *e)
{
    char *a = cJSON_PrintUnformatted(
        cJSON_GetObjectItemCaseSensitive(had, key));
    char *b = cJSON_PrintUnformatted(
        cJSON_GetObjectItemCaseSensitive(want, key));

    err_set(e, code, "%s: a run with another %s (found %s, expected %s)%s",
            run, key, a ? a : "none", b ? b : "none", advice);
    free(a);
    free(b);
}

static int
compare_identity(const char *run, const cJSON *had, const cJSON *want,
                 bool extend, struct err *e)
{
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(had, "run_steps");
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(want, "run_steps");
    const char *key = first_difference(want, had, extend);

    if (key == NULL)
        key = first_difference(had, want, extend);
    if (key == NULL && extend && cJSON_IsNumber(a)
        && b->valuedouble < a->valuedouble)
        return err_set(e, ERR_USAGE, "%s: a run of more steps (found %.0f, "
                       "expected at most the %.0f of --extend)", run,
                       a->valuedouble, b->valuedouble);
    if (key == NULL)
        return 0;
    say_difference(run, had, want, key, "", ERR_EXISTS, e);
    return e->code;
}

/* Threads may differ: they change no bit. */
static int
compare_machine(const char *run, const cJSON *had, const cJSON *want,
                struct err *e)
{
    static const char *const keys[] = { "backend", "arithmetic", "version" };

    for (size_t i = 0; i < 3; i++) {
        const cJSON *a = cJSON_GetObjectItemCaseSensitive(had, keys[i]);
        const cJSON *b = cJSON_GetObjectItemCaseSensitive(want, keys[i]);

        if (cJSON_Compare(a, b, true))
            continue;
        say_difference(run, had, want, keys[i],
                       ": --allow-inexact goes on with other bits",
                       ERR_USAGE, e);
        return e->code;
    }
    return 0;
}

int
run_compare(const char *run, const char *identity,
               const char *rest, struct run_taking how, struct err *e)
{
    char *path = path_join(run, CONFIG);
    struct buf text;
    cJSON *old = NULL, *want = NULL;
    int rc = json_user_file(&old, path, MAX_JSON, e);

    buf_init(&text);
    buf_addf(&text, "{\"identity\": {%s}, %s}", identity, rest);
    if (rc == 0)
        rc = json_user(&want, text.data, text.len, "options", e);
    if (rc == 0)
        rc = compare_identity(
            run, cJSON_GetObjectItemCaseSensitive(old, "identity"),
            cJSON_GetObjectItemCaseSensitive(want, "identity"), how.extend,
            e);
    if (rc == 0 && how.resume == RUN_RESUMED)
        rc = compare_machine(
            run, cJSON_GetObjectItemCaseSensitive(old, "machine"),
            cJSON_GetObjectItemCaseSensitive(want, "machine"), e);
    cJSON_Delete(old);
    cJSON_Delete(want);
    buf_release(&text);
    free(path);
    return rc;
}
