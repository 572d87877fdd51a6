/* lora_experts.c - which adapters of experts PEFT reads. */
#include "weights/lora_experts.h"

#include "weights/module_pattern.h"

/* What PEFT has no adapters of experts with; NULL: nothing is the matter. */
static const char *
unknown_there(const struct adapter *a, bool pissa)
{
    if (a->dora)
        return "DoRA";
    if (a->rslora)
        return "rsLoRA's strength";
    if (pissa)
        return "PiSSA's start";
    return a->dropout > 0 ? "dropout" : NULL;
}

bool
lora_names_expert(const char *module, const char *target)
{
    char parameter[128];

    return names_parameter(target) && module_parameter(parameter, module)
           && module_is_named(parameter, target);
}

bool
lora_reaches(const struct model_desc *d, const struct module *m)
{
    char unused[128];

    return module_is_linear(d, m) || module_parameter(unused, m->name);
}

/* Gate and up are one matrix in transformers' memory; its adapter is inside
 * that of down. */
static bool
needs(const struct module *m, const struct module *other)
{
    return m->role != ROLE_EXPERT_DOWN || other->role == ROLE_EXPERT_DOWN;
}

static int
check_alike(const struct lora_part *parts, const struct module *m,
            const struct model_desc *d, struct err *e)
{
    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *other = &d->module[i];

        if (other->expert >= 0 && needs(m, other) && parts[i].rank == 0)
            return err_set(e, ERR_USAGE, "module %s gets an adapter and %s "
                           "none: PEFT wants them of all experts in all "
                           "layers, and of gate and up together and with "
                           "down", m->name, other->name);
    }
    return 0;
}

int
lora_check_experts(const struct lora_part *parts, const struct adapter *a,
                   bool pissa, const struct model_desc *d, struct err *e)
{
    const struct adapter_module own = { .rank = a->rank, .alpha = a->alpha };
    const char *lacks = unknown_there(a, pissa);
    float scale = (float)adapter_scale(a, &own);

    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module *m = &d->module[i];
        int rc;

        if (m->expert < 0 || parts[i].rank == 0)
            continue;
        if (lacks != NULL)
            return err_set(e, ERR_USAGE, "module %s: PEFT has no adapters of "
                           "experts with %s (name other --targets)", m->name,
                           lacks);
        if (parts[i].rank != a->rank || parts[i].scale < scale
            || parts[i].scale > scale)
            return err_set(e, ERR_USAGE, "module %s: PEFT has no patterns of "
                           "ranks and alphas for experts", m->name);
        rc = check_alike(parts, m, d, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}
