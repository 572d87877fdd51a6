/* keys.c - walks a table of keys and stores what the object says of each, by
 * its type and range; each type of value has a reader. */
#include "model/keys.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define MAX_SHOWN 60

const struct key *
key_find(const struct key *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

double
key_value(const void *fields, const struct key *k)
{
    return *(const double *)((const char *)fields + k->offset);
}

int
key_error(const char *name, const cJSON *v, struct err *e,
          const char *expected, ...)
{
    char *found = v ? cJSON_PrintUnformatted(v) : NULL;
    size_t n = found ? strlen(found) : 0;
    char text[256];
    va_list ap;

    va_start(ap, expected);
    vsnprintf(text, sizeof(text), expected, ap);
    va_end(ap);
    if (n > MAX_SHOWN)
        for (n = MAX_SHOWN; n > 0 && (found[n] & 0xc0) == 0x80; n--)
            continue;
    err_set(e, ERR_DATA, "%s (found %.*s%s, expected %s)", name,
            found ? (int)n : 7, found ? found : "nothing",
            found && found[n] ? "..." : "", text);
    cJSON_free(found);
    return e->code;
}

static bool
is_number(const cJSON *v, double min, double max)
{
    return cJSON_IsNumber(v) && v->valuedouble >= min
           && v->valuedouble <= max;
}

static int
read_number(double *out, const struct key *k, const cJSON *v, struct err *e)
{
    double min = k->kind == KEY_DROP ? 0 : k->min;
    double max = k->kind == KEY_DROP ? 1 : k->max;
    bool whole = k->kind == KEY_COUNT;

    if (!is_number(v, min, max)
        || (whole && v->valuedouble != floor(v->valuedouble)))
        return key_error(k->name, v, e, "a %snumber from %.10g to %.10g",
                         whole ? "whole " : "", min, max);
    *out = v->valuedouble;
    return 0;
}

static int
read_word(double *out, const struct key *k, const cJSON *v, struct err *e)
{
    const struct key_word *w;
    struct buf all;
    int rc;

    for (w = k->words; w->word != NULL && cJSON_IsString(v); w++)
        if (strcmp(v->valuestring, w->word) == 0) {
            *out = w->value;
            return 0;
        }
    buf_init(&all);
    for (w = k->words; w->word != NULL; w++)
        buf_addf(&all, "%s\"%s\"", w == k->words ? "" : ", ", w->word);
    rc = key_error(k->name, v, e, "%s%s", k->words[1].word ? "one of " : "",
                   all.data);
    buf_release(&all);
    return rc;
}

static bool
is_id(const cJSON *v)
{
    return is_number(v, -1, INT32_MAX)
           && v->valuedouble == floor(v->valuedouble);
}

static bool
is_ids(const cJSON *v)
{
    const cJSON *item;

    if (!cJSON_IsArray(v))
        return is_id(v);
    cJSON_ArrayForEach(item, v)
        if (!is_id(item))
            return false;
    return true;
}

/* False, or nothing inside. */
static bool
is_off(const cJSON *v)
{
    if (cJSON_IsArray(v) || cJSON_IsObject(v))
        return v->child == NULL;
    return cJSON_IsFalse(v);
}

static int
read_value(double *out, const struct key *k, const cJSON *v, struct err *e)
{
    switch ((enum key_kind)k->kind) {
    case KEY_FREE:
        return 0;
    case KEY_COUNT:
    case KEY_REAL:
    case KEY_DROP:
        return read_number(out, k, v, e);
    case KEY_BOOL:
        if (!cJSON_IsBool(v))
            return key_error(k->name, v, e, "true or false");
        *out = cJSON_IsTrue(v);
        return 0;
    case KEY_WORD:
        return read_word(out, k, v, e);
    case KEY_TEXT:
        return cJSON_IsString(v) ? 0
                                 : key_error(k->name, v, e, "a string");
    case KEY_IDS:
        return is_ids(v) ? 0 : key_error(k->name, v, e, "a token id");
    case KEY_OBJECT:
        return cJSON_IsObject(v) ? 0
                                 : key_error(k->name, v, e, "an object");
    case KEY_OFF:
        if (!is_off(v))
            return key_error(k->name, v, e,
                             "none: this is not implemented");
        return 0;
    case KEY_ON:
        if (!cJSON_IsTrue(v))
            return key_error(k->name, v, e,
                             "true: anything else is not implemented");
        return 0;
    }
    return 0;
}

static bool
is_stored(const struct key *k)
{
    return k->kind >= KEY_COUNT && k->kind <= KEY_WORD;
}

int
keys_read(void *fields, const struct key *table, const cJSON *root,
          struct err *e)
{
    for (const struct key *k = table; k->name != NULL; k++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, k->name);
        double *out = is_stored(k) ? (double *)((char *)fields + k->offset)
                                   : NULL;
        int rc = 0;

        if (v == NULL && k->flags & KEY_REQUIRED)
            return key_error(k->name, v, e, "this key");
        if (is_stored(k) && !(k->flags & KEY_ALIAS && v == NULL))
            *out = v == NULL ? k->def : k->none;
        if (v != NULL && !(cJSON_IsNull(v) && k->flags & KEY_NULL))
            rc = read_value(out, k, v, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}
