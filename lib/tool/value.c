/* value.c - option values from text and back. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tool/internal.h"

const char *
choice_at(const char *choices, size_t i, size_t *n)
{
    while (i-- > 0 && choices != NULL) {
        choices = strchr(choices, '|');
        choices += choices != NULL;
    }
    if (choices != NULL)
        *n = strcspn(choices, "|");
    return choices;
}

/* A limit: whole numbers with all their digits. */
static const char *
spell(double v, char text[32])
{
    snprintf(text, 32, v == floor(v) && fabs(v) < 1e17 ? "%.0f" : "%.15g", v);
    return text;
}

/* What else a value can be than a number between the limits. */
static const char *
other_form(const struct opt *o)
{
    switch (o->type) {
    case OPT_EVERY:
        return ", or a time in whole s, m or h as 90s, 5m or 2h";
    case OPT_SHARE:
        return ", or a part as 3%, from 0% to 100%";
    case OPT_SIZE:
        return ", also in whole K, M or G as 512M or 8G";
    default:
        return "";
    }
}

static int
bad_value(const struct opt *o, const char *text, struct err *e)
{
    char min[32], max[32];

    if (o->choices != NULL)
        return err_set(e, ERR_USAGE, "--%s: bad value (found '%s', expected "
                       "%s)", o->name, text, o->choices);
    if (o->type == OPT_FLAG)
        return err_set(e, ERR_USAGE, "--%s: bad value (found '%s', expected "
                       "true or false)", o->name, text);
    if (o->min != 0 || o->max != 0)
        return err_set(e, ERR_USAGE, "--%s: bad value (found '%s', expected "
                       "%s..%s%s)", o->name, text, spell(o->min, min),
                       spell(o->max, max), other_form(o));
    return err_set(e, ERR_USAGE, "--%s: bad value '%s'", o->name, text);
}

static bool
in_range(const struct opt *o, double v)
{
    return (o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max);
}

/* The same of a whole number, which a double may round. */
static bool
whole_in_range(const struct opt *o, uint64_t v)
{
    return in_range(o, (double)v)
        && (o->max <= 0 || o->max >= 0x1p64 || v <= (uint64_t)o->max);
}

/* Digits only, then (of a size) one of K, M and G. */
static bool
parse_u64(const char *text, bool size, uint64_t *out)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    uint64_t v, unit = 1;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (size && *end != '\0') {
        suffix = strchr(suffixes, *end++);
        if (suffix == NULL)
            return false;
        unit = (uint64_t)1 << (10 * (suffix - suffixes + 1));
    }
    return *end == '\0' && size_mul(v, unit, out);
}

static const struct {
    char letter;
    uint64_t seconds;
} time_units[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

#define N_TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))

/* Digits, then for a time one of s, m and h. */
static bool
parse_every(const char *text, struct opt_every *out)
{
    size_t digits = strspn(text, "0123456789");
    struct opt_every v = { 0, 0 };
    char number[24];

    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!parse_u64(number, false, &v.count))
        return false;
    for (size_t i = 0; i < N_TIME_UNITS; i++) {
        if (text[digits] == time_units[i].letter && text[digits + 1] == '\0') {
            if (!size_mul(v.count, time_units[i].seconds, &v.seconds))
                return false;
            v.count = 0;
            *out = v;
            return true;
        }
    }
    *out = v;
    return text[digits] == '\0';
}

static void
format_every(const struct opt_every *v, struct buf *out)
{
    for (size_t i = 0; v->seconds > 0 && i < N_TIME_UNITS; i++) {
        if (v->seconds % time_units[i].seconds == 0) {
            buf_addf(out, "%" PRIu64 "%c", v->seconds / time_units[i].seconds,
                     time_units[i].letter);
            return;
        }
    }
    buf_addf(out, "%" PRIu64, v->count);
}

static bool
parse_double(const char *text, double *out)
{
    char *end;

    if (*text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* Digits, or a number from 0 to 100 and a percent sign. */
static bool
parse_share(const char *text, struct opt_share *out)
{
    size_t n = strlen(text);
    struct opt_share v = { 0, 0 };
    char number[24];

    if (n == 0 || text[n - 1] != '%') {
        if (!parse_u64(text, false, &v.count))
            return false;
        *out = v;
        return true;
    }
    if (n > sizeof(number))
        return false;
    memcpy(number, text, n - 1);
    number[n - 1] = '\0';
    if (!parse_double(number, &v.percent)
        || !(v.percent >= 0 && v.percent <= 100))
        return false;
    *out = v;
    return true;
}

static void
format_share(const struct opt_share *v, struct buf *out)
{
    if (v->percent > 0)
        buf_addf(out, "%.15g%%", v->percent);
    else
        buf_addf(out, "%" PRIu64, v->count);
}

static int
parse_choice(const struct opt *o, const char *text, int *out)
{
    const char *c;
    size_t n;

    for (int i = 0; (c = choice_at(o->choices, (size_t)i, &n)) != NULL;
         i++) {
        if (strlen(text) == n && memcmp(c, text, n) == 0) {
            *out = i;
            return 0;
        }
    }
    return -1;
}

void
value_add_item(struct opt_list *list, const char *text, size_t n)
{
    list->item = mem_grow(list->item, (list->n + 1) * sizeof(*list->item));
    list->item[list->n++] = mem_dup(text, n);
}

static void
add_items(struct opt_list *list, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, ",");

        if (n > 0)
            value_add_item(list, text, n);
        text += n + (text[n] == ',');
    }
}

static bool
is_text(const struct opt *o)
{
    return o->type == OPT_STRING || o->type == OPT_NAME
           || o->type == OPT_CONFIG;
}

void
value_init(const struct opt *o, void *opts)
{
    static const size_t size[] = {
        [OPT_FLAG] = sizeof(bool), [OPT_STRING] = sizeof(char *),
        [OPT_U64] = sizeof(uint64_t), [OPT_DOUBLE] = sizeof(double),
        [OPT_SIZE] = sizeof(uint64_t), [OPT_CHOICE] = sizeof(int),
        [OPT_NAME] = sizeof(char *), [OPT_CONFIG] = sizeof(char *),
        [OPT_LIST] = sizeof(struct opt_list),
        [OPT_WORDS] = sizeof(struct opt_list),
        [OPT_EVERY] = sizeof(struct opt_every),
        [OPT_SHARE] = sizeof(struct opt_share),
    };

    memset((char *)opts + o->offset, 0, size[o->type]);
}

static void
release_list(struct opt_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free((char *)list->item[i]);
    free(list->item);
}

void
value_clear(const struct opt *o, void *opts)
{
    void *at = (char *)opts + o->offset;

    if (is_text(o))
        free(*(char **)at);
    else if (o->type == OPT_LIST || o->type == OPT_WORDS)
        release_list(at);
    value_init(o, opts);
}

/* A text in the place of the one before. */
static void
put_text(char **at, const char *text)
{
    free(*at);
    *at = mem_strdup(text);
}

int
value_parse(const struct opt *o, void *opts, const char *text,
            struct err *e)
{
    void *at = (char *)opts + o->offset;
    struct opt_every every;
    struct opt_share share;
    uint64_t u;
    double d;
    int i;

    switch (o->type) {
    case OPT_FLAG:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return bad_value(o, text, e);
        *(bool *)at = strcmp(text, "true") == 0;
        return 0;
    case OPT_U64:
    case OPT_SIZE:
        if (!parse_u64(text, o->type == OPT_SIZE, &u)
            || !whole_in_range(o, u))
            return bad_value(o, text, e);
        *(uint64_t *)at = u;
        return 0;
    case OPT_EVERY:
        if (!parse_every(text, &every)
            || !whole_in_range(o, every.count + every.seconds))
            return bad_value(o, text, e);
        *(struct opt_every *)at = every;
        return 0;
    case OPT_SHARE:
        if (!parse_share(text, &share) || !whole_in_range(o, share.count))
            return bad_value(o, text, e);
        *(struct opt_share *)at = share;
        return 0;
    case OPT_DOUBLE:
        if (!parse_double(text, &d) || !in_range(o, d))
            return bad_value(o, text, e);
        *(double *)at = d;
        return 0;
    case OPT_CHOICE:
        if (parse_choice(o, text, &i) < 0)
            return bad_value(o, text, e);
        *(int *)at = i;
        return 0;
    case OPT_NAME:
        if (parse_choice(o, text, &i) < 0)
            return bad_value(o, text, e);
        put_text(at, text);
        return 0;
    case OPT_LIST:
        add_items(at, text);
        return 0;
    case OPT_WORDS:
        value_add_item(at, text, strlen(text));
        return 0;
    default:
        put_text(at, text);
        return 0;
    }
}

void
value_format(const struct opt *o, const void *opts, struct buf *out)
{
    const void *at = (const char *)opts + o->offset;
    const struct opt_list *list = at;
    const char *s;
    size_t n = 0;

    switch (o->type) {
    case OPT_FLAG:
        buf_addstr(out, *(const bool *)at ? "true" : "false");
        break;
    case OPT_U64:
    case OPT_SIZE:
        buf_addf(out, "%" PRIu64, *(const uint64_t *)at);
        break;
    case OPT_EVERY:
        format_every(at, out);
        break;
    case OPT_SHARE:
        format_share(at, out);
        break;
    case OPT_DOUBLE:
        buf_addf(out, "%.15g", *(const double *)at);
        break;
    case OPT_CHOICE:
        s = choice_at(o->choices, (size_t)*(const int *)at, &n);
        buf_add(out, s, n);
        break;
    case OPT_LIST:
    case OPT_WORDS:
        for (size_t i = 0; i < list->n; i++)
            buf_addf(out, "%s%s", i ? "," : "", list->item[i]);
        break;
    default:
        s = *(const char *const *)at;
        buf_addstr(out, s ? s : "");
        break;
    }
}
