/* parse.c - the words of a command line to option values.
 *
 * The line is first split into (option, value) pairs and operands, then the
 * run files among them are read, then the other pairs are applied in order:
 * so the command line wins over a run file wherever that was named. --help
 * and --version act as soon as they are seen.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "tool/internal.h"

struct pair {
    const struct opt *o;
    const char *value; /* NULL: a flag alone */
};

struct words {
    const struct tool *t;
    struct args *args;
    int argc, at;
    char **argv;
    struct pair *pair; /* at most one per letter or word */
    size_t n;
};

/* Names farther apart than this are not taken for each other. */
#define MAX_DISTANCE 3

const struct opt *
opt_find(const struct tool *t, const char *name, size_t n,
         const char **nearest)
{
    const struct opt *tables[] = { t->opts, tool_common };
    struct nearest x = nearest_to(name, n, MAX_DISTANCE);

    for (int k = 0; k < 2; k++) {
        for (const struct opt *o = tables[k]; o->name != NULL; o++) {
            nearest_offer(&x, o->name);
            if (x.edits == 0)
                return o;
        }
    }
    *nearest = x.name;
    return NULL;
}

const char *
tool_nearest(const char *name, const char *const *names, size_t n)
{
    size_t len = strlen(name), most = MAX_DISTANCE;
    struct nearest x;

    /* A name of which no letter is left is not nearer than any other. */
    if (most >= len)
        most = len > 0 ? len - 1 : 0;
    x = nearest_to(name, len, most);
    for (size_t i = 0; i < n; i++)
        nearest_offer(&x, names[i]);
    return x.name;
}

bool
opt_is_common(const struct opt *o)
{
    for (const struct opt *c = tool_common; c->name != NULL; c++) {
        if (c == o)
            return true;
    }
    return false;
}

static const struct opt *
find_letter(const struct tool *t, char letter)
{
    const struct opt *tables[] = { t->opts, tool_common };

    for (int k = 0; k < 2; k++) {
        for (const struct opt *o = tables[k]; o->name != NULL; o++) {
            if (o->letter == letter)
                return o;
        }
    }
    return NULL;
}

/* value: what stood after "=" or the letter, else NULL and the next word is
 * taken where one is needed. */
static int
add_pair(struct words *w, const struct opt *o, const char *value,
         struct err *e)
{
    if (value == NULL && o->type != OPT_FLAG) {
        if (w->at >= w->argc)
            return err_set(e, ERR_USAGE, "--%s needs a value (%s)", o->name,
                           o->arg);
        value = w->argv[w->at++];
    }
    w->pair[w->n++] = (struct pair){ o, value };
    if (opt_is_common(o))
        return common_apply(w->t, o, value, w->args, e);
    return 0;
}

static int
long_option(struct words *w, const char *word, struct err *e)
{
    size_t n = strcspn(word, "=");
    const char *nearest;
    const struct opt *o = opt_find(w->t, word, n, &nearest);

    if (o == NULL)
        return err_set(e, ERR_USAGE, "unknown option --%.*s%s%s%s", (int)n,
                       word, nearest ? " (did you mean --" : "",
                       nearest ? nearest : "", nearest ? "?)" : "");
    return add_pair(w, o, word[n] == '=' ? word + n + 1 : NULL, e);
}

static int
short_options(struct words *w, const char *word, struct err *e)
{
    int rc = 0;

    while (*word != '\0' && rc == 0) {
        const struct opt *o = find_letter(w->t, *word);

        if (o == NULL)
            return err_set(e, ERR_USAGE, "unknown option -%c", *word);
        word++;
        if (o->type != OPT_FLAG)
            return add_pair(w, o, *word != '\0' ? word : NULL, e);
        rc = add_pair(w, o, NULL, e);
    }
    return rc;
}

static int
split(struct words *w, struct err *e)
{
    bool only_operands = false;
    int rc = 0;

    while (w->at < w->argc && rc == 0) {
        char *word = w->argv[w->at++];

        if (only_operands || word[0] != '-' || word[1] == '\0') {
            w->args->operand[w->args->n++] = word;
            only_operands = only_operands || w->t->options_first;
        } else if (strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (word[1] == '-') {
            rc = long_option(w, word + 2, e);
        } else {
            rc = short_options(w, word + 1, e);
        }
    }
    return rc;
}

static int
read_run_files(const struct words *w, void *opts, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++) {
        if (w->pair[i].o->type == OPT_CONFIG)
            rc = config_read(w->t, opts, w->args, w->pair[i].value, e);
    }
    return rc;
}

/* Whether that name is one of a list's, "a|b". */
static bool
is_among(const char *list, const char *name)
{
    const char *c;
    size_t n;

    for (size_t i = 0; (c = choice_at(list, i, &n)) != NULL; i++)
        if (strlen(name) == n && memcmp(c, name, n) == 0)
            return true;
    return false;
}

/* What a run file says of the options that o stands for is not said, but for
 * those that the line has named. */
static void
forget_others(const struct words *w, const struct opt *o, void *opts,
              const bool *seen)
{
    for (const struct opt *other = w->t->opts; other->name != NULL; other++) {
        size_t index = (size_t)(other - w->t->opts);

        if (!is_among(o->instead, other->name) || seen[index])
            continue;
        value_clear(other, opts);
        w->args->given[index] = false;
    }
}

/* The first time that the line names a list, it replaces what the default
 * or a run file put there. */
static int
apply(const struct words *w, void *opts, struct err *e)
{
    bool *seen = mem_array(opt_count(w->t) + 1, sizeof(*seen));
    int rc = 0;

    for (size_t i = 0; i < w->n && rc == 0; i++) {
        const struct pair *p = &w->pair[i];
        size_t index = (size_t)(p->o - w->t->opts);

        if (opt_is_common(p->o))
            continue;
        if (!seen[index])
            value_clear(p->o, opts);
        seen[index] = w->args->given[index] = true;
        if (p->o->instead != NULL)
            forget_others(w, p->o, opts, seen);
        if ((p->o->type == OPT_STRING || p->o->type == OPT_WORDS)
            && p->value[0] == '\0')
            rc = err_set(e, ERR_USAGE, "--%s: empty value (expected %s)",
                         p->o->name, p->o->arg);
        else
            rc = value_parse(p->o, opts, p->value ? p->value : "true", e);
    }
    free(seen);
    return rc;
}

static int
check_operands(const struct words *w, struct err *e)
{
    const struct tool *t = w->t;
    size_t n = w->args->n;

    if (n < t->min_operands)
        return err_set(e, ERR_USAGE, "missing operand (expected %s; see %s "
                       "--help)", t->operands, w->args->called);
    if (n > t->max_operands)
        return err_set(e, ERR_USAGE, "extra operand '%s'",
                       w->args->operand[t->max_operands]);
    for (size_t i = 0; i < n && !t->options_first; i++) {
        if (w->args->operand[i][0] == '\0')
            return err_set(e, ERR_USAGE, "empty operand (expected %s)",
                           t->operands);
    }
    return 0;
}

/* Whether an option that makes o dispensable is set. */
static bool
is_excused(const struct opt *o, const struct words *w, const void *opts)
{
    const struct tool *t = w->t;

    for (const struct opt *f = t->opts; f->name != NULL; f++) {
        if (o->unless == NULL || !is_among(o->unless, f->name))
            continue;
        if (f->type == OPT_FLAG ?
            *(const bool *)((const char *)opts + f->offset) :
            w->args->given[f - t->opts])
            return true;
    }
    return false;
}

/* Every required option was set; the message has all that were not. */
static int
check_required(const struct words *w, const void *opts, struct err *e)
{
    const struct tool *t = w->t;
    struct buf missing;
    size_t n = 0;
    int rc = 0;

    buf_init(&missing);
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        if (!o->required || w->args->given[o - t->opts]
            || is_excused(o, w, opts))
            continue;
        buf_addf(&missing, "%s--%s", n++ > 0 ? ", " : "", o->name);
    }
    if (n > 0)
        rc = err_set(e, ERR_USAGE, "%s %s missing (see %s --help)",
                     missing.data, n > 1 ? "are" : "is", w->args->called);
    buf_release(&missing);
    return rc;
}

int
parse_line(const struct tool *t, void *opts, struct args *args, int argc,
           char **argv, struct err *e)
{
    struct words w = { .t = t, .args = args, .argc = argc, .at = 1,
                       .argv = argv };
    size_t letters = 0;
    int rc;

    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]);
    w.pair = mem_array(letters + 1, sizeof(*w.pair));
    rc = split(&w, e);
    if (rc == 0)
        rc = read_run_files(&w, opts, e);
    if (rc == 0)
        rc = apply(&w, opts, e);
    if (rc == 0)
        rc = check_required(&w, opts, e);
    if (rc == 0)
        rc = check_operands(&w, e);
    free(w.pair);
    return rc;
}
