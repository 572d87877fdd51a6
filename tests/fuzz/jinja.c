/* jinja.c - any bytes as a chat template: what is read is run over a
 * conversation, and every byte of what comes out has an origin. */
#include "text/jinja.h"

#include "fuzz.h"

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"
    "\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}}]";
static const char calls[] =
    "{\"content\":null,\"tool_calls\":[{\"type\":\"function\",\"function\":{"
    "\"name\":\"f\",\"arguments\":{\"x\":1.5}}}]}";

static void
add_conversation(struct jinja_vars *v)
{
    struct err e;

    jinja_set_string(v, "bos_token", "<s>", 3);
    jinja_set_string(v, "eos_token", "</s>", 4);
    jinja_set_bool(v, "add_generation_prompt", false);
    MUST(jinja_set_json(v, "tools", tools, sizeof(tools) - 1, JINJA_TOOLS,
                        &e) == 0);
    MUST(jinja_add_message(v, "system", 6, "Be <s>.", 7, NULL, 0, &e) == 0);
    MUST(jinja_add_message(v, "user", 4, " a\n\xc3\xa9 ", 6, NULL, 0, &e)
         == 0);
    MUST(jinja_add_message(v, "assistant", 9, "", 0, calls,
                           sizeof(calls) - 1, &e) == 0);
    MUST(jinja_add_message(v, "tool", 4, "1", 1, "{\"name\":\"f\"}", 12, &e)
         == 0);
    MUST(jinja_add_message(v, "assistant", 9, "Done", 4, NULL, 0, &e) == 0);
}

static void
run(const struct jinja *j)
{
    struct jinja_vars *v = jinja_vars_new();
    struct jinja_text out;
    struct err e;
    size_t i, end = 0;

    jinja_text_init(&out);
    add_conversation(v);
    if (jinja_run(j, v, 5, &out, &e) == 0) {
        for (i = 0; i < out.n_spans; i++) {
            MUST(out.span[i].end > end);
            end = out.span[i].end;
        }
        MUST(end == out.text.len);
    }
    jinja_text_release(&out);
    jinja_vars_free(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jinja *j;
    struct err e;

    if (jinja_read(&j, (const char *)data, size, "fuzz", &e) == 0) {
        run(j);
        jinja_free(j);
    }
    return 0;
}
