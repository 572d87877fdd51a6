/* preflight_selftest.c - every back end of this machine against the
 * reference. */
#include "cli/preflight.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "model/op_info.h"
#include "train/selftest.h"

/* The back ends of the processor: an instruction set (NULL: the best) and a
 * type of products. */
static const struct {
    const char *isa, *compute;
} processor[] = {
    { "generic", "f32" }, { "avx2", "f32" }, { "avx512", "f32" },
    { NULL, "bf16" },
};

/* The worst of the runs so far. */
struct worst {
    size_t runs, bad;
    double loss, gradient, parameters;
};

static void
say_bad(struct findings *f, const struct backend *b,
        const struct selftest *r, double bound)
{
    struct err e;

    err_set(&e, ERR_IO, "%s, %s in %s, %s: loss off by %.1e, gradients by "
            "%.1e, parameters by %.1e (expected at most %.1e)%s", b->detail,
            r->model, r->stored, r->what, r->loss, r->gradient,
            r->parameters, bound,
            r->threads ? "" : "; threads change the bits");
    findings_error(f, "selftest.run", &e);
    findings_remedy(f, "report this, all of it: what is trained here is "
                    "wrong");
}

static void
count(struct worst *w, const struct selftest *r)
{
    w->runs++;
    w->bad += !r->good;
    w->loss = fmax(w->loss, r->loss);
    w->gradient = fmax(w->gradient, r->gradient);
    w->parameters = fmax(w->parameters, r->parameters);
}

/* Kinds of op that no run had. */
static void
say_kinds(struct findings *f, uint64_t kinds)
{
    unsigned n = 0;
    struct buf b;

    buf_init(&b);
    for (unsigned k = OP_NONE + 1; k < OP_KINDS; k++) {
        if (kinds >> k & 1)
            n++;
        else
            buf_addf(&b, "%s%s", b.len ? " " : "", op_info(k)->name);
    }
    findings_add(f, FINDING_NOTE, "selftest.kinds", "the runs had %u of %u "
                 "kinds of op; not: %s", n, OP_KINDS - OP_NONE - 1, b.data);
    buf_release(&b);
}

static void
test_one(struct preflight *p, const struct backend *b, double bound,
         uint64_t *kinds)
{
    struct findings *f = &p->findings;
    struct worst w = { .runs = 0 };
    struct selftest r;
    struct err e;
    int rc;

    for (size_t i = 0; (rc = selftest_do(&r, i, b, bound, kinds, &e)) > 0;
         i++) {
        count(&w, &r);
        if (!r.good)
            say_bad(f, b, &r, bound);
        progress_add(1);
    }
    if (rc < 0) {
        err_prefix(&e, "%s", b->detail);
        findings_error(f, "selftest.run", &e);
        return;
    }
    findings_add(f, w.bad > 0 ? FINDING_WARNING : FINDING_OK,
                 "selftest.device", "%s: %s: %zu of %zu runs are right; off "
                 "by at most %.1e (loss), %.1e (gradients), %.1e "
                 "(parameters)", b->name, b->detail, w.runs - w.bad, w.runs,
                 w.loss, w.gradient, w.parameters);
    findings_value(f, "runs", (double)w.runs);
    findings_value(f, "bad", (double)w.bad);
    findings_value(f, "loss", w.loss);
    findings_value(f, "gradients", w.gradient);
    findings_value(f, "parameters", w.parameters);
    findings_value(f, "bound", bound);
}

static void
test_processor(struct preflight *p, uint64_t *kinds)
{
    for (size_t i = 0; i < sizeof(processor) / sizeof(processor[0]); i++) {
        bool narrow = strcmp(processor[i].compute, "bf16") == 0;
        struct backend b;
        struct err e;

        if (cpu_open(&b, processor[i].isa, processor[i].compute, &e) < 0) {
            findings_add(&p->findings, FINDING_NOTE, "selftest.none", "%s",
                         e.text);
            continue;
        }
        test_one(p, &b, narrow ? SELFTEST_BF16 : SELFTEST_F32, kinds);
        cpu_close(&b);
    }
}

/* A card, where --device has one; of bf16 always, in whose precision one
 * trains there. */
static void
test_card(struct preflight *p, uint64_t *kinds)
{
    struct backend b;
    struct err e;

    if (device_open(&b, &p->device, &e) < 0) {
        findings_error(&p->findings, "selftest.device", &e);
        return;
    }
    if (b.apart)
        test_one(p, &b, b.activation == DTYPE_REAL
                        && strcmp(p->device.compute, "f32") == 0
                        ? SELFTEST_F32 : SELFTEST_BF16, kinds);
    device_close(&b);
}

void
preflight_selftest(struct preflight *p)
{
    uint64_t kinds = 0;

    p->tested = true;
    preflight_machine(p);
    progress_begin("runs", 0, 0);
    test_processor(p, &kinds);
    if (strcmp(p->device.name, "cpu") != 0)
        test_card(p, &kinds);
    progress_end();
    say_kinds(&p->findings, kinds);
}
