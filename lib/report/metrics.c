/* metrics.c - lines of numbers to curves. */
#include "report/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_LINE (1 << 20)
#define LINE_NUMBERS 64 /* of one line; more are counted */

/* A number of a line, by the whole of its name. */
struct number {
    char name[METRICS_NAME];
    double value;
};

struct line {
    struct number number[LINE_NUMBERS];
    size_t n;
    uint64_t more;
    uint64_t step;
    bool has_step;
};

static void
take_number(struct line *l, const char *prefix, const struct buf *key,
            double value)
{
    struct number *v = &l->number[l->n];
    size_t at = strlen(prefix);

    if (l->n == LINE_NUMBERS || at + key->len + 2 > METRICS_NAME
        || strlen(key->data) != key->len) {
        l->more++;
        return;
    }
    memcpy(v->name, prefix, at);
    if (at > 0)
        v->name[at++] = '.';
    memcpy(v->name + at, key->data, key->len + 1);
    v->value = value;
    l->n++;
}

/* The numbers of the object that comes next; null is none that is finite. */
static int
take_object(struct line *l, struct json *j, const char *prefix,
            struct err *e)
{
    struct buf key;
    double value;
    int rc = json_enter_object(j, e);

    buf_init(&key);
    while (rc == 0 && json_next_key(j, &key)) {
        enum json_kind kind = json_kind(j);
        struct json at = *j;

        if (!*prefix && strcmp(key.data, "step") == 0
            && kind == JSON_NUMBER) {
            l->has_step = json_u64(&at, &l->step, e) == 0;
            json_skip(j);
        } else if (kind == JSON_NUMBER) {
            rc = json_double(j, &value, e);
            take_number(l, prefix, &key, value);
        } else if (kind == JSON_OBJECT && !*prefix
                   && key.len < METRICS_NAME / 2) {
            char name[METRICS_NAME];

            memcpy(name, key.data, key.len + 1);
            rc = take_object(l, j, name, e);
        } else {
            if (kind == JSON_NULL)
                take_number(l, prefix, &key, NAN);
            json_skip(j);
        }
    }
    buf_release(&key);
    return rc;
}

/* The series of that name; i: where it was in the line before. */
static struct metrics_series *
series_at(struct metrics *m, const char *name, size_t *i)
{
    struct metrics_series *s;

    if (*i < m->n && strcmp(m->series[*i].name, name) == 0)
        return &m->series[(*i)++];
    for (size_t k = 0; k < m->n; k++) {
        if (strcmp(m->series[k].name, name) == 0) {
            *i = k + 1;
            return &m->series[k];
        }
    }
    if (m->n == METRICS_SERIES)
        return NULL;
    s = &m->series[m->n++];
    memcpy(s->name, name, strlen(name) + 1);
    *i = m->n;
    return s;
}

static double
last_of(const struct line *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->number[i].name, name) == 0)
            return l->number[i].value;
    return NAN;
}

/* Tokens by their rate are the seconds since the line before. */
static void
take_time(struct metrics *m, const struct line *l)
{
    double before = metrics_last(m, "tokens", 0);
    double tokens = last_of(l, "tokens"), rate = last_of(l, "tok_s");

    if (rate > 0 && tokens > before && (tokens - before) / rate < 1e12)
        m->seconds += (tokens - before) / rate;
}

static void
take_line(struct metrics *m, const struct line *l)
{
    size_t at = 0;

    take_time(m, l);
    for (size_t i = 0; i < l->n; i++) {
        struct metrics_series *s = series_at(m, l->number[i].name, &at);

        if (s)
            curve_add(&s->curve, l->step, l->number[i].value);
        else
            m->unnamed++;
    }
    m->unnamed += l->more;
    m->lines++;
    m->step = l->step > m->step ? l->step : m->step;
}

static bool
parse(struct line *l, const struct buf *text)
{
    struct err ignored;
    struct json j;

    l->n = 0;
    l->more = 0;
    l->has_step = false;
    if (json_check(text->data, text->len, "", &ignored) < 0)
        return false;
    j = json_on(text->data, text->len, "");
    return json_kind(&j) == JSON_OBJECT
           && take_object(l, &j, "", &ignored) == 0 && l->has_step;
}

static int
read_lines(struct metrics *m, struct in *in, struct err *e)
{
    struct line *l = mem_alloc(sizeof(*l));
    uint64_t number = 0;
    bool got, ended;
    struct buf text;
    int rc;

    buf_init(&text);
    while ((rc = in_line(in, &text, MAX_LINE, &got, &ended, e)) == 0
           && got) {
        number++;
        if (!ended) {
            m->cut = true;
        } else if (parse(l, &text)) {
            take_line(m, l);
        } else if (m->bad++ == 0) {
            m->first_bad = number;
        }
    }
    buf_release(&text);
    free(l);
    return rc;
}

int
metrics_read(struct metrics *m, const char *path, struct err *e)
{
    struct in in;
    int rc;

    memset(m, 0, sizeof(*m));
    m->series = mem_array(METRICS_SERIES, sizeof(*m->series));
    if (!path_exists(path)) {
        m->missing = true;
        return 0;
    }
    rc = in_open_regular(&in, path, e);
    if (rc == 0)
        rc = read_lines(m, &in, e);
    in_release(&in);
    return rc;
}

void
metrics_release(struct metrics *m)
{
    free(m->series);
    memset(m, 0, sizeof(*m));
}

const struct curve *
metrics_curve(const struct metrics *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->series[i].name, name) == 0)
            return &m->series[i].curve;
    return NULL;
}

double
metrics_last(const struct metrics *m, const char *name, double fallback)
{
    const struct curve *c = metrics_curve(m, name);

    return c && c->points > 0 ? c->last.value : fallback;
}
