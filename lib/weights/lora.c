/* lora.c - an adapter's modules and a program's parameters, paired by name;
 * matrices go through exec_put and exec_write, wherever they lie. */
#include "weights/lora.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/family.h"
#include "weights/adapter_saved.h"
#include "weights/adapter_tokens.h"
#include "weights/lora_experts.h"
#include "weights/module_pattern.h"
#include "weights/pissa.h"

/* Whether the adapter's targets select the module. */
static int
is_target(bool *is, const struct adapter *a, const char *module,
          struct err *e)
{
    *is = a->n_targets == 0;
    if (a->target_pattern)
        return module_matches(is, a->target[0], module, e);
    for (size_t i = 0; i < a->n_targets && !*is; i++)
        *is = module_is_named(module, a->target[i]);
    return 0;
}

/* The same of an expert, which PEFT reaches by the name of its parameter. */
static bool
is_target_parameter(const struct adapter *a, const struct module *m)
{
    bool is = false;

    for (size_t i = 0; i < a->n_targets && !a->target_pattern && !is; i++)
        is = lora_names_expert(m->name, a->target[i]);
    return is;
}

static struct lora_part
part_of(const struct adapter *a, const struct adapter_module *m)
{
    return (struct lora_part){ .rank = m->rank, .dora = a->dora,
                               .scale = (float)adapter_scale(a, m) };
}

/* What is saved whole gets no adapter; PEFT knows that by names from a dot
 * on, and would wrap the adapter where a name begins elsewhere. */
static int
leave_saved(bool *is, const struct adapter *a, const char *module,
            struct err *e)
{
    bool named = false;

    for (size_t i = 0; i < a->n_save; i++)
        named |= module_is_named(module, a->save[i]);
    if (!*is || !adapter_saves(a, module))
        return 0;
    *is = false;
    return named ? 0 : err_set(e, ERR_USAGE, "module %s is to be saved, and "
                               "a target, too (expected its name from a dot "
                               "on, to save it alone)", module);
}

/* From targets, patterns and modules to save. */
static int
select_parts(struct lora_part *parts, const struct adapter *a,
             const struct model_desc *d, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < d->n_modules && rc == 0; i++) {
        struct adapter_module m = { .name = d->module[i].name };
        bool is = is_target_parameter(a, &d->module[i]);

        if (!is && !module_is_linear(d, &d->module[i]))
            continue;
        if (!is)
            rc = is_target(&is, a, m.name, e);
        if (rc == 0)
            rc = leave_saved(&is, a, m.name, e);
        if (rc == 0 && is)
            rc = adapter_strength(a, m.name, &m.rank, &m.alpha, e);
        if (rc == 0 && is)
            parts[i] = part_of(a, &m);
    }
    return rc;
}

static int
select_whole(struct lora_part *parts, const struct adapter *a,
             const struct model_desc *d, struct err *e)
{
    bool *whole = mem_array(d->n_modules, sizeof(*whole));
    int rc = adapter_select_saved(whole, a, d, e);

    for (size_t i = 0; i < d->n_modules; i++)
        parts[i].whole = whole[i];
    free(whole);
    return rc;
}

/* From the modules that there are. */
static int
take_parts(struct lora_part *parts, const struct adapter *a,
           const struct model_desc *d, struct err *e)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct adapter_module *m = &a->item[i];
        size_t k = 0;

        while (k < d->n_modules && strcmp(d->module[k].name, m->name) != 0)
            k++;
        if (k == d->n_modules)
            return err_set(e, ERR_DATA, "module %s of the adapter: the base "
                           "has no such linear", m->name);
        parts[k] = part_of(a, m);
    }
    for (size_t i = 0; i < d->n_tensors; i++)
        if (adapter_saved(a, d->tensor[i].name))
            parts[d->tensor[i].module].whole = true;
    return 0;
}

/* What is said of modules, one by one: each has to say it of a module that
 * gets an adapter. */
struct said {
    const char *what, *text;
    int (*of)(bool *is, const char *text, const char *module, struct err *e);
};

static int
named(bool *is, const char *text, const char *module, struct err *e)
{
    (void)e;
    *is = module_is_named(module, text) || lora_names_expert(module, text);
    return 0;
}

static int
check_said(const struct said *s, const struct lora_part *parts,
           const struct model_desc *d, struct err *e)
{
    bool hit = false, aside = false;
    int rc = 0;

    for (size_t i = 0; i < d->n_modules && rc == 0 && !hit; i++)
        if (parts[i].rank > 0)
            rc = s->of(&hit, s->text, d->module[i].name, e);
    for (size_t i = 0; i < d->n_modules && rc == 0 && !aside; i++)
        if (d->tensor[d->module[i].weight].flags & TENSOR_ASIDE)
            rc = s->of(&aside, s->text, d->module[i].name, e);
    if (rc == 0 && !hit)
        return err_set(e, ERR_USAGE, "%s '%s' is no linear module of a %s "
                       "layer%s", s->what, s->text, d->family->model_type,
                       aside ? " that PEFT makes adapters of"
                       : s->of == named || s->of == module_matches
                       ? "" : " that gets an adapter");
    return rc;
}

static int
check_patterns(const char *what, const struct adapter_patterns *p,
               const struct lora_part *parts, const struct model_desc *d,
               struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < p->n && rc == 0; i++)
        rc = check_said(&(struct said){ what, p->item[i].key, module_ends },
                        parts, d, e);
    return rc;
}

static int
check_selected(const struct lora_part *parts, const struct adapter *a,
               const struct model_desc *d, struct err *e)
{
    struct said s = { "target", NULL,
                      a->target_pattern ? module_matches : named };
    int rc = 0;

    for (size_t i = 0; i < a->n_targets && rc == 0; i++) {
        s.text = a->target[i];
        rc = check_said(&s, parts, d, e);
    }
    if (rc == 0)
        rc = check_patterns("rank pattern", &a->rank_pattern, parts, d, e);
    if (rc == 0)
        rc = check_patterns("alpha pattern", &a->alpha_pattern, parts, d, e);
    return rc;
}

int
lora_opts(struct prog_opts *o, const struct adapter *a,
          const struct model_desc *d, struct lora_part **parts,
          struct err *e)
{
    int rc;

    *parts = mem_array(d->n_modules, sizeof(**parts));
    if (a->n > 0) {
        rc = take_parts(*parts, a, d, e);
        if (rc == 0)
            rc = adapter_tokens_match(a, d, e);
    } else {
        rc = select_parts(*parts, a, d, e);
        if (rc == 0)
            rc = select_whole(*parts, a, d, e);
        if (rc == 0)
            rc = adapter_tokens_match(a, d, e);
        if (rc == 0)
            rc = check_selected(*parts, a, d, e);
        else if (rc == ERR_DATA)
            rc = e->code = ERR_USAGE; /* the user's own pattern */
    }
    if (rc < 0) {
        free(*parts);
        *parts = NULL;
        return rc;
    }
    adapter_tokens_select(*parts, a, d);
    o->method = METHOD_LORA;
    o->lora = *parts;
    return 0;
}

bool
lora_fan_in_fan_out(const struct model_desc *d)
{
    for (const struct module_row *r = d->family->modules; r->name; r++)
        if (r->in_out)
            return true;
    return false;
}

static const struct adapter_module *
find_module(const struct adapter *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->item[i].name, name) == 0)
            return &a->item[i];
    }
    return NULL;
}

/* Parameters of a module. */
static size_t
n_parts(const struct prog *p)
{
    return p->norms.buf != 0 ? 3 : 2;
}

/* Parameters of the modules that are adapted; those that are tensors, and rows
 * of some, follow them. */
static size_t
n_matrices(const struct prog *p)
{
    size_t n = p->n_params;

    while (n > 0 && (p->param[n - 1].kind == PARAM_TENSOR
                     || p->param[n - 1].kind == PARAM_TOKENS))
        n--;
    return n;
}

static const float *
find_rows(const struct adapter *a, const struct model_desc *d,
          const struct param *q)
{
    const struct adapter_tokens *t = adapter_tokens_find(a, d, q->module);

    return t && t->n == q->rows && t->cols == q->cols
           && memcmp(t->id, q->token, t->n * sizeof(*t->id)) == 0
           ? t->rows : NULL;
}

static const float *
find_values(const struct adapter *a, const struct model_desc *d,
            const struct param *q)
{
    const struct adapter_module *m;
    const struct adapter_tensor *t;

    if (q->kind == PARAM_TENSOR) {
        t = adapter_saved(a, q->tensor->name);
        return t && t->rows == q->rows && t->cols == q->cols ? t->data : NULL;
    }
    if (q->kind == PARAM_TOKENS)
        return find_rows(a, d, q);
    m = find_module(a, q->module->name);
    if (m == NULL || m->in != q->module->in || m->out != q->module->out)
        return NULL;
    return q->kind == PARAM_LORA_A ? m->a : q->kind == PARAM_LORA_B
           ? m->b : m->magnitude;
}

int
lora_load(struct exec *x, const struct adapter *a, struct err *e)
{
    const struct prog *p = x->prog;

    if (n_matrices(p) != n_parts(p) * a->n)
        return err_set(e, ERR_DATA, "the adapter has %zu modules where the "
                       "program has %zu", a->n, n_matrices(p) / n_parts(p));
    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];
        const float *values = find_values(a, p->desc, q);
        struct view v = prog_param(q, p->params);
        int rc;

        if (values == NULL)
            return err_set(e, ERR_DATA, "the adapter has no %s of its size",
                           q->module->name);
        rc = exec_put(x, &v, values, e);
        if (rc < 0)
            return rc;
    }
    return exec_start(x, e);
}

/* The last parts of the modules' names, each once: what target_modules says
 * when every linear has an adapter. *n of them; the caller frees the list. */
static const char **
leaf_names(const struct prog *p, size_t *n)
{
    size_t most = n_matrices(p);
    const char **leaf = mem_array(most, sizeof(*leaf));

    *n = 0;
    for (size_t i = 0; i < most; i++) {
        const char *name = strrchr(p->param[i].module->name, '.') + 1;
        size_t k = 0;

        while (k < *n && strcmp(leaf[k], name) != 0)
            k++;
        if (k == *n)
            leaf[(*n)++] = name;
    }
    return leaf;
}

/* What is saved: its items and tensors, and the parameters behind them. */
struct saving {
    const struct exec *x;
    struct adapter a;
    const struct param **whole;  /* by index of a.whole */
    const struct param **tokens; /* by index of a.tokens */
};

/* Parameters come as A, B, A, B, with DoRA as A, B, magnitude: add_params of
 * bind.c. */
static int
write_part(void *ctx, size_t i, enum adapter_part part, struct out *out,
           struct err *e)
{
    const struct saving *s = ctx;
    const struct prog *p = s->x->prog;
    const struct param *q = part == ADAPTER_WHOLE ? s->whole[i]
                            : part == ADAPTER_TOKENS ? s->tokens[i]
                            : &p->param[n_parts(p) * i + part];
    struct view v = prog_param(q, p->params);

    return q->fixed ? pissa_write(s->x, q, out, e)
                    : exec_write(s->x, &v, out, e);
}

static void
add_whole(struct saving *s, const struct param *q, const char *name)
{
    s->whole[s->a.n_whole] = q;
    s->a.whole[s->a.n_whole++] = (struct adapter_tensor){
        .name = name, .n_dims = q->tensor->n_dims, .rows = q->rows,
        .cols = q->cols
    };
}

/* The tensors; one that is head and embedding goes by both names, and both are
 * names of modules to save, as PEFT finds them when it reads. */
static void
list_whole(struct saving *s, char head[128])
{
    const struct prog *p = s->x->prog;
    const struct model_desc *d = p->desc;
    size_t first = n_matrices(p), n = p->n_params - first;
    const struct module *m[] = { desc_module(d, ROLE_EMBED, 0),
                                 desc_module(d, ROLE_HEAD, 0) };
    const char **save = mem_array(s->a.n_save + 2, sizeof(*save));

    snprintf(head, 128, "%s.weight", m[1]->name);
    for (size_t i = 0; i < s->a.n_save; i++)
        save[i] = s->a.save[i];
    s->a.whole = mem_array(n + 1, sizeof(*s->a.whole));
    s->whole = mem_array(n + 1, sizeof(*s->whole));
    s->a.n_whole = 0;
    for (size_t i = first; i < p->n_params; i++) {
        const struct param *q = &p->param[i];

        if (q->kind == PARAM_TOKENS)
            continue;
        add_whole(s, q, q->tensor->name);
        if (!d->tied || q->module != m[0])
            continue;
        add_whole(s, q, head);
        for (int k = 0; k < 2; k++)
            if (!adapter_saves(&s->a, m[k]->name))
                save[s->a.n_save++] = m[k]->name;
    }
    s->a.save = save;
}

/* Rows of tokens. The input embedding's alone are a list, as PEFT has it. */
static void
list_tokens(struct saving *s)
{
    const struct prog *p = s->x->prog;
    const struct model_desc *d = p->desc;
    struct adapter *a = &s->a;
    size_t n = p->n_params - n_matrices(p);

    a->tokens = mem_array(n + 1, sizeof(*a->tokens));
    s->tokens = mem_array(n + 1, sizeof(*s->tokens));
    a->n_tokens = 0;
    for (size_t i = 0; i < p->n_params; i++) {
        const struct param *q = &p->param[i];

        if (q->kind != PARAM_TOKENS)
            continue;
        s->tokens[a->n_tokens] = q;
        a->tokens[a->n_tokens++] = (struct adapter_tokens){
            .key = q->module->name, .module = q->module->name,
            .id = (int32_t *)q->token, .n = q->rows, .cols = q->cols
        };
    }
    if (a->n_tokens == 1
        && s->tokens[0]->module == desc_module(d, ROLE_EMBED, 0))
        a->tokens[0].key = NULL;
}

static void
list_items(struct saving *s)
{
    const struct prog *p = s->x->prog;
    struct adapter *a = &s->a;

    a->n = n_matrices(p) / n_parts(p);
    a->item = mem_array(a->n, sizeof(*a->item));
    for (size_t i = 0; i < a->n; i++) {
        const struct param *q = &p->param[n_parts(p) * i];

        a->item[i].name = q->module->name;
        a->item[i].in = q->module->in;
        a->item[i].out = q->module->out;
        a->item[i].rank = q->fixed ? 2 * q->rows : q->rows;
    }
}

int
lora_save(const struct exec *x, const struct adapter *meta,
          const char *dir, struct err *e)
{
    struct saving s = { .x = x, .a = *meta };
    const struct adapter_source source = { write_part, &s };
    bool twice = pissa_is(x->prog);
    const char **leaf = NULL;
    char head[128];
    int rc;

    if (twice)
        pissa_double(&s.a);
    if (s.a.n_targets == 0)
        s.a.target = leaf = leaf_names(x->prog, &s.a.n_targets);
    list_items(&s);
    list_whole(&s, head);
    list_tokens(&s);
    rc = adapter_write(&s.a, dir, NULL, 0, &source, e);
    if (twice)
        pissa_release_double(&s.a);
    free(s.a.item);
    free(s.a.whole);
    free(s.whole);
    free(s.a.tokens);
    free(s.tokens);
    free(s.a.save);
    free(leaf);
    return rc;
}
