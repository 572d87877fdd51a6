/* template.c - any bytes as a layout: what is read lays out a record of all
 * fields, and one of none, to tokens of the tokenizer. */
#include "text/template.h"

#include <string.h>

#include "../unit/byte_tokenizer.h"
#include "fuzz.h"

static const char *const special[] = {
    "<|endoftext|>", "<a>", "<b>", "<repo_name>", "<fim_prefix>", NULL
};

static void
lay_out(const struct template *tp, const struct template_input *in)
{
    struct template_out out;
    struct encoder en;
    size_t i;

    encoder_init(&en, tp->t);
    template_out_init(&out, tp->t);
    template_encode(tp, &en, in, &out);
    for (i = 0; i < out.ids.n; i++)
        MUST(out.ids.id[i] < tp->t->n && out.loss[i] <= 1);
    template_out_release(&out);
    encoder_release(&en);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer t;
    struct template_input in, none;
    struct template tp;
    struct err e;
    int i;

    if (t.n == 0)
        byte_tokenizer(&t, special);
    if (template_open_own(&tp, (const char *)data, size, "fuzz", &t, 256, &e)
        < 0)
        return 0;
    memset(&none, 0, sizeof(none));
    memset(&in, 0, sizeof(in));
    for (i = FIELD_ALWAYS + 1; i < FIELDS; i++)
        template_set(&in, (enum template_field)i, "a <a>\nb\xff", 8);
    lay_out(&tp, &in);
    lay_out(&tp, &none);
    template_release(&tp);
    return 0;
}
