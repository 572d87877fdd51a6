/* suite.c - lines of HumanEval and MBPP become prompts with a test. */
#include "eval/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHOTS 3 /* tasks 2, 3 and 4 */

void
suite_init(struct suite *s, enum suite_kind kind)
{
    s->kind = kind;
    s->n_shots = 0;
    buf_init(&s->shots);
}

void
suite_release(struct suite *s)
{
    buf_release(&s->shots);
}

static int
get_string(const char **out, const cJSON *o, const char *key,
           const char *where, struct err *e)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    if (!cJSON_IsString(v))
        return err_set(e, ERR_DATA, "%s: no string %s: not a line of this "
                       "suite", where, key);
    *out = v->valuestring;
    return 0;
}

/* A prompt with its test; stop strings are ended by NULL. */
static cJSON *
make_prompt(const char *id, const char *prompt, const char *program,
            const char *const *stop, const struct buf *code)
{
    cJSON *o = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(o, "stop");
    cJSON *test;

    cJSON_AddStringToObject(o, "id", id);
    cJSON_AddStringToObject(o, "prompt", prompt);
    cJSON_AddStringToObject(o, "program", program);
    for (; *stop != NULL; stop++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*stop));
    test = cJSON_AddObjectToObject(o, "test");
    cJSON_AddStringToObject(test, "language", "python");
    cJSON_AddStringToObject(test, "code", code->data);
    return o;
}

static int
humaneval_line(cJSON **o, const char *where, struct err *e)
{
    static const char *const stop[] = { "\nclass", "\ndef", "\n#", "\nif",
                                        "\nprint", NULL };
    const char *id = NULL, *prompt = NULL, *test = NULL, *entry = NULL;
    struct buf code;
    cJSON *made;
    int rc = get_string(&id, *o, "task_id", where, e);

    if (rc == 0)
        rc = get_string(&prompt, *o, "prompt", where, e);
    if (rc == 0)
        rc = get_string(&test, *o, "test", where, e);
    if (rc == 0)
        rc = get_string(&entry, *o, "entry_point", where, e);
    if (rc < 0)
        return rc;
    buf_init(&code);
    buf_addf(&code, "%s\ncheck(%s)", test, entry);
    made = make_prompt(id, prompt, "joined", stop, &code);
    buf_release(&code);
    cJSON_Delete(*o);
    *o = made;
    return 1;
}

/* Appends text with lines that end as others do. */
static void
add_lines(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        if (!(text[0] == '\r' && text[1] == '\n'))
            buf_addc(b, *text);
    }
}

/* Appends the strings of a list, a newline before each; ERR_DATA where it
 * isn't a list of strings. */
static int
add_tests(struct buf *b, const cJSON *list, const char *where,
          struct err *e)
{
    const cJSON *v;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return err_set(e, ERR_DATA, "%s: no list test_list: not a line of "
                       "this suite", where);
    cJSON_ArrayForEach(v, list) {
        if (!cJSON_IsString(v))
            return err_set(e, ERR_DATA, "%s: test_list has what is no string",
                           where);
        buf_addc(b, '\n');
        add_lines(b, v->valuestring);
    }
    return 0;
}

struct mbpp {
    int id;
    const char *text, *code, *setup;
    const cJSON *tests;
};

static int
read_mbpp(struct mbpp *m, const cJSON *o, const char *where, struct err *e)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "task_id");
    int rc = get_string(&m->text, o, "text", where, e);

    if (rc == 0)
        rc = get_string(&m->code, o, "code", where, e);
    if (rc == 0)
        rc = get_string(&m->setup, o, "test_setup_code", where, e);
    if (rc < 0)
        return rc;
    if (!cJSON_IsNumber(id) || id->valuedouble != floor(id->valuedouble)
        || fabs(id->valuedouble) > 1e6)
        return err_set(e, ERR_DATA, "%s: no number task_id: not a line of "
                       "this suite", where);
    m->id = (int)id->valuedouble;
    m->tests = cJSON_GetObjectItemCaseSensitive(o, "test_list");
    return 0;
}

/* Appends the task, as far as where its code begins. */
static int
add_task(struct buf *b, const struct mbpp *m, const char *where,
         struct err *e)
{
    int rc;

    buf_addstr(b, "You are an expert Python programmer, and here is your "
               "task: ");
    add_lines(b, m->text);
    buf_addstr(b, " Your code should pass these tests:\n");
    rc = add_tests(b, m->tests, where, e);
    buf_addstr(b, "\n[BEGIN]\n");
    return rc;
}

static int
add_shot(struct suite *s, const struct mbpp *m, const char *where,
         struct err *e)
{
    int rc = add_task(&s->shots, m, where, e);

    add_lines(&s->shots, m->code);
    buf_addstr(&s->shots, "\n[DONE]\n\n");
    s->n_shots++;
    return rc;
}

static int
mbpp_line(struct suite *s, cJSON **o, const char *where, struct err *e)
{
    static const char *const stop[] = { "[DONE]", NULL };
    struct buf prompt, code;
    struct mbpp m = { .id = 0 };
    char id[32];
    cJSON *made;
    int rc = read_mbpp(&m, *o, where, e);

    if (rc < 0)
        return rc;
    if (m.id >= 2 && m.id < 2 + SHOTS)
        return add_shot(s, &m, where, e);
    if (m.id < 11 || m.id > 510)
        return 0;
    if (s->n_shots != SHOTS)
        return err_set(e, ERR_DATA, "%s: task %d comes before tasks 2, 3 and "
                       "4, which are its examples", where, m.id);
    buf_init(&prompt);
    buf_init(&code);
    buf_add(&prompt, s->shots.data, s->shots.len);
    rc = add_task(&prompt, &m, where, e);
    add_lines(&code, m.setup);
    if (rc == 0)
        rc = add_tests(&code, m.tests, where, e);
    if (rc == 0) {
        snprintf(id, sizeof(id), "MBPP/%d", m.id);
        made = make_prompt(id, prompt.data, "completion", stop, &code);
        cJSON_Delete(*o);
        *o = made;
    }
    buf_release(&prompt);
    buf_release(&code);
    return rc < 0 ? rc : 1;
}

int
suite_line(struct suite *s, cJSON **o, const char *where, struct err *e)
{
    if (s->kind == SUITE_NONE)
        return 1;
    if (!cJSON_IsObject(*o))
        return err_set(e, ERR_DATA, "%s: not a JSON object", where);
    return s->kind == SUITE_HUMANEVAL ? humaneval_line(o, where, e)
                                      : mbpp_line(s, o, where, e);
}
