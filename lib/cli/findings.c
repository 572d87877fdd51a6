/* findings.c - a list of findings, for people and for programs. */
#include "cli/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static const char *const level_names[FINDING_LEVELS] = {
    "ok", "note", "warning", "error"
};

static struct finding *
next(struct findings *f, enum finding_level level, const char *name)
{
    struct finding *x;

    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 32;
        f->item = mem_grow(f->item, f->cap * sizeof(*f->item));
    }
    x = &f->item[f->n++];
    *x = (struct finding){ .level = level, .name = name };
    buf_init(&x->values);
    return x;
}

void
findings_add(struct findings *f, enum finding_level level, const char *name,
             const char *fmt, ...)
{
    char raw[2048], text[4096];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    err_escape(text, sizeof(text), raw);
    next(f, level, name)->text = mem_strdup(text);
}

void
findings_error(struct findings *f, const char *name, const struct err *e)
{
    struct finding *x = next(f, FINDING_ERROR, name);

    x->text = mem_strdup(e->text);
    x->code = -e->code;
}

void
findings_remedy(struct findings *f, const char *remedy)
{
    f->item[f->n - 1].remedy = remedy;
}

void
findings_value(struct findings *f, const char *key, double v)
{
    struct buf *b = &f->item[f->n - 1].values;

    buf_addf(b, ", \"%s\": ", key);
    if (v >= 0 && v < 1e15 && !(floor(v) < v))
        json_put_u64(b, (uint64_t)v);
    else
        json_put_double(b, v);
}

enum finding_level
findings_worst(const struct findings *f)
{
    enum finding_level worst = FINDING_OK;

    for (size_t i = 0; i < f->n; i++)
        if (f->item[i].level > worst)
            worst = f->item[i].level;
    return worst;
}

size_t
findings_count(const struct findings *f, enum finding_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->item[i].level == level;
    return n;
}

int
findings_code(const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->item[i].level == FINDING_ERROR)
            return f->item[i].code;
    return 0;
}

void
findings_text(const struct findings *f, enum finding_level from,
              struct buf *b)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->item[i];

        if (x->level < from)
            continue;
        buf_addf(b, "%-8s %-18s %s\n", level_names[x->level], x->name,
                 x->text);
        if (x->remedy != NULL)
            buf_addf(b, "%-8s %-18s -> %s\n", "", "", x->remedy);
    }
}

static void
put_member(struct buf *b, const char *key, const char *text)
{
    buf_addf(b, ", \"%s\": ", key);
    if (text == NULL)
        buf_addstr(b, "null");
    else
        json_put_string(b, text, strlen(text));
}

void
findings_json(const struct findings *f, struct buf *b)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->item[i];

        buf_addf(b, "%s\n  {\"level\": \"%s\"", i ? "," : "",
                 level_names[x->level]);
        put_member(b, "name", x->name);
        put_member(b, "text", x->text);
        put_member(b, "remedy", x->remedy);
        if (x->code != 0)
            buf_addf(b, ", \"code\": %d", x->code);
        if (x->values.len > 0)
            buf_addf(b, ", \"values\": {%s}", x->values.data + 2);
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
}

void
findings_release(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->item[i].text);
        buf_release(&f->item[i].values);
    }
    free(f->item);
    memset(f, 0, sizeof(*f));
}
