/* jinja.c - chat templates against what transformers made of the same
 * (tests/golden/chat.json, made by the script beside it), where bytes come
 * from, and templates that mean harm.
 */
#include "text/jinja.h"

#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "test.h"

#define DAY INT64_C(1721952000) /* 26 July 2024 */

/* What a template gave, or why it gave nothing. */
struct given {
    struct jinja *j;
    struct jinja_vars *vars;
    struct jinja_text text;
    struct err e;
    int rc;
};

static void
given_init(struct given *g)
{
    memset(g, 0, sizeof(*g));
    g->vars = jinja_vars_new();
    jinja_text_init(&g->text);
    jinja_set_time(g->vars, DAY);
    jinja_set_none(g->vars, "tools");
    jinja_set_bool(g->vars, "add_generation_prompt", false);
}

static void
given_release(struct given *g)
{
    jinja_free(g->j);
    jinja_vars_free(g->vars);
    jinja_text_release(&g->text);
}

/* Reads the template and runs it. */
static void
run(struct given *g, const char *template, size_t n)
{
    g->rc = jinja_read(&g->j, template, n, "t", &g->e);
    if (g->rc == 0)
        g->rc = jinja_run(g->j, g->vars, SIZE_MAX, &g->text, &g->e);
}

static void
add(struct given *g, const char *role, const char *content, const char *json)
{
    CHECK(jinja_add_message(g->vars, role, strlen(role), content,
                            strlen(content), json, json ? strlen(json) : 0,
                            &g->e) == 0);
}

/* ---- as transformers ---- */

/* The message of an array, whose other keys become JSON of their own. */
static void
add_message(struct given *g, const cJSON *message)
{
    cJSON *rest = cJSON_Duplicate(message, true);
    cJSON *role = cJSON_DetachItemFromObject(rest, "role");
    cJSON *content = cJSON_DetachItemFromObject(rest, "content");
    bool text = cJSON_IsString(content);
    char *json;

    if (!text) { /* the first key */
        cJSON_AddItemToObject(rest, "content", content);
        cJSON_InsertItemInArray(rest, 0,
                                cJSON_DetachItemFromObject(rest, "content"));
    }
    json = cJSON_PrintUnformatted(rest);
    add(g, role->valuestring, text ? content->valuestring : "",
        rest->child ? json : NULL);
    cJSON_free(json);
    cJSON_Delete(role);
    if (text)
        cJSON_Delete(content);
    cJSON_Delete(rest);
}

static void
tell(struct given *g, const cJSON *conversation)
{
    const cJSON *vars = cJSON_GetObjectItem(conversation, "vars"), *m;
    char *json = cJSON_PrintUnformatted(vars);

    CHECK(jinja_set_all(g->vars, "vars", json, strlen(json), &g->e) == 0);
    cJSON_free(json);
    cJSON_ArrayForEach(m, cJSON_GetObjectItem(conversation, "messages"))
        add_message(g, m);
}

/* Characters before byte `at`. */
static int
characters(const char *p, size_t at)
{
    int n = 0;

    for (size_t i = 0; i < at; i++)
        n += ((unsigned char)p[i] & 0xC0) != 0x80;
    return n;
}

/* What is between generation tags, as the spans of the golden file, of which
 * those that touch are one. */
static void
check_spans(const struct given *g, const cJSON *spans)
{
    const struct jinja_text *t = &g->text;
    const cJSON *s = spans->child;
    size_t from, i = 0;
    int to;

    while (i < t->n_spans) {
        from = i ? t->span[i - 1].end : 0;
        if (!t->span[i].generation) {
            i++;
            continue;
        }
        while (i < t->n_spans && t->span[i].generation)
            i++;
        if (!CHECK(s != NULL))
            return;
        CHECK_EQ_U64(s->child->valueint,
                     characters(t->text.data, from));
        to = s->child->next->valueint;
        for (s = s->next; s && s->child->valueint == to; s = s->next)
            to = s->child->next->valueint;
        CHECK_EQ_U64(to, characters(t->text.data, t->span[i - 1].end));
    }
    CHECK(s == NULL);
}

TEST(templates_give_what_transformers_gives)
{
    const cJSON *c, *text, *spans;
    struct buf template, path;
    cJSON *golden = NULL;
    struct given g;
    struct err e;

    buf_init(&template);
    buf_init(&path);
    if (!CHECK(json_user_file(&golden, "tests/golden/chat.json", 1u << 20,
                              &e) == 0))
        return;
    cJSON_ArrayForEach(c, cJSON_GetObjectItem(golden, "cases")) {
        const char *name = cJSON_GetObjectItem(c, "template")->valuestring;
        const char *of = cJSON_GetObjectItem(c, "of")->valuestring;

        buf_reset(&path);
        buf_addf(&path, "tests/golden/chat/%s", name);
        buf_reset(&template);
        CHECK(file_read_regular(&template, path.data, 1u << 20, &e) == 0);
        given_init(&g);
        tell(&g, cJSON_GetObjectItem(
            cJSON_GetObjectItem(golden, "conversations"), of));
        run(&g, template.data, template.len);
        text = cJSON_GetObjectItem(c, "text");
        spans = cJSON_GetObjectItem(c, "spans");
        if (cJSON_IsNull(text))
            CHECK(g.rc == ERR_DATA);
        else if (!CHECK(g.rc == 0))
            printf("# %s of %s: %s\n", name, of, g.e.text);
        else
            CHECK_STR(g.text.text.data, text->valuestring);
        if (g.rc == 0 && spans)
            check_spans(&g, spans);
        given_release(&g);
    }
    cJSON_Delete(golden);
    buf_release(&template);
    buf_release(&path);
}

/* ---- whose bytes they are ---- */

/* A letter for each byte: t the template's, a digit the message's, x the
 * tools'. */
static void
check_origins(const char *template, const char *text, const char *origins)
{
    struct given g;
    char who[256];
    size_t at = 0;

    given_init(&g);
    CHECK(jinja_set_json(g.vars, "tools", "[\"T\"]", 5, JINJA_TOOLS, &g.e)
          == 0);
    add(&g, "user", " ab ", NULL);
    add(&g, "assistant", "\xc3\xa9" "c", "{\"n\":\"d\\\"\"}");
    run(&g, template, strlen(template));
    if (CHECK(g.rc == 0) && CHECK_STR(g.text.text.data, text)) {
        for (size_t i = 0; i < g.text.n_spans; i++)
            while (at < g.text.span[i].end)
                who[at++] = g.text.span[i].origin == JINJA_TEMPLATE ? 't' :
                            g.text.span[i].origin == JINJA_TOOLS ? 'x' :
                            (char)('0' + g.text.span[i].origin);
        who[at] = '\0';
        CHECK_STR(who, origins);
    }
    given_release(&g);
}

TEST(bytes_know_where_they_are_from)
{
    check_origins("{% for m in messages %}<{{ m.role }}>{{ m.content }}"
                  "{% endfor %}", "<user> ab <assistant>\xc3\xa9" "c",
                  "tttttt1111ttttttttttt222");
    check_origins("{{ '[' + messages[0].content|trim ~ ']' }}", "[ab]",
                  "t11t");
    check_origins("{{ (messages[0].content + messages[1].content)[3:5] }}",
                  " \xc3\xa9", "122");
    check_origins("{{ messages[1].n|tojson }}{{ tools|join }}",
                  "\"d\\\"\"T", "t222tx");
    check_origins("{% set x %}-{{ messages[0].content }}{% endset %}"
                  "{{ x.replace('a', '<b>')|upper }}", "- <B>B ",
                  "t1ttt11");
    check_origins("{% macro f(x) %}({{ x }}){% endmacro %}"
                  "{{ f(messages[0].content.split('b')[0]) }}", "( a)",
                  "t11t");
    check_origins("{{ ['<', messages[1].content]|join('.') }}", "<.\xc3\xa9"
                  "c", "tt222");
}

TEST(a_list_shows_characters_that_do_not_show_as_python_does)
{
    check_origins("{{ [messages[0].content ~ '\xe2\x80\x8b\xc2\xa0'] }}",
                  "[' ab \\u200b\\xa0']", "tt1111tttttttttttt");
    check_origins("{{ ['\xf3\xa0\x80\x81\xef\xbf\xbd\xff\x7f'] }}",
                  "['\\U000e0001\xef\xbf\xbd\xff\\x7f']",
                  "tttttttttttttttttttttt");
}

TEST(cases_and_lines_are_those_of_python)
{
    check_origins("{{ 'e.g. o\\'x-y (z1a'|title }}", "E.g. O'x-Y (Z1a",
                  "ttttttttttttttt");
    check_origins("{{ 'e.g. o\\'x-y (z1a'.title() }}", "E.G. O'X-Y (Z1A",
                  "ttttttttttttttt");
    check_origins("{{ '\xc7\x86' ~ '\xc7\x86'.title() }}",
                  "\xc7\x86\xc7\x85", "tttt");
    check_origins("{{ 'a\vb\xe2\x80\xa8" "c\r\nd\n'.splitlines()|join('|') "
                  "}}", "a|b|c|d", "ttttttt");
    check_origins("{{ 'a\r\n\r\nb\vc\n'|indent(1) ~ ''|indent(2, true) }}",
                  "a\n\n b\n c\n  ", "ttttttttttt");
}

TEST(bytes_know_whose_turn_it_is)
{
    static const uint32_t turn[] = { 0, 1, 2, 1, 0 };
    static const char template[] =
        "a{% for m in messages %}b{% if loop.first %}"
        "{{ messages[1].content }}c{% else %}{% break %}{% endif %}"
        "{% endfor %}d";
    struct given g;

    given_init(&g);
    add(&g, "user", "x", NULL);
    add(&g, "user", "y", NULL);
    run(&g, template, strlen(template));
    CHECK(g.rc == 0);
    CHECK_STR(g.text.text.data, "abycbd");
    /* the second b is the second message's */
    if (CHECK_EQ_U64(g.text.n_spans, 6))
        for (int i = 0; i < 4; i++)
            CHECK_EQ_U64(g.text.span[i].turn, turn[i]);
    given_release(&g);
}

/* ---- what is refused ---- */

TEST(templates_are_refused_by_name_and_line)
{
    static const struct {
        const char *template, *why;
        int code;
    } rows[] = {
        { "a\n{% include 'x' %}", "t:2: the tag 'include' is not supported",
          ERR_DATA },
        { "{{ x|pprint }}", "t:1: the filter 'pprint' is not supported",
          ERR_DATA },
        { "{{ x }}{{ 'a'|safe + x }}", "t:1: the filter 'safe' beside an",
          ERR_DATA },
        { "{{ x ~ y|e }}", "t:1: the filter 'e' beside an", ERR_DATA },
        { "{{ x is wild }}", "t:1: the test 'wild' is not", ERR_DATA },
        { "{{ x", "t:1: a tag without an end", ERR_DATA },
        { "{% if x %}", "the template ends before 'elif'", ERR_DATA },
        { "{% endif %}", "the tag 'endif' is not supported here", ERR_DATA },
        { "{% for x in y recursive %}{% endfor %}", "recursive", ERR_DATA },
        { "{{ 'a }}", "a string without an end", ERR_DATA },
        { "{{ (1 }}", "unexpected '}'", ERR_DATA },
        { "{{ f(*x) }}", "calls with * and **", ERR_DATA },
        { "{{ 99999999999999999999 }}", "a number too large", ERR_DATA },
        { "{# x", "a comment without an end", ERR_DATA },
        { "\n\n{{ x.y }}", "t:3: 'x' is undefined", ERR_DATA },
        { "{{ 'a' + 1 }}", "+ of a string and a number", ERR_DATA },
        { "{{ 1 // 0 }}", "a division by zero", ERR_DATA },
        { "{{ 2 ** 63 }}", "an integer over 64 bits", ERR_DATA },
        { "{{ '99999999999999999999' | int }}", "an integer over 64 bits",
          ERR_DATA },
        { "{{ 1e30 | int }}", "an integer over 64 bits", ERR_DATA },
        { "{{ [1][::0] }}", "a slice whose step is 0", ERR_DATA },
        { "{{ [1]['a':] }}", "a slice needs an integer (found a string)",
          ERR_DATA },
        { "{{ raise_exception('no\n' ~ 1) }}",
          "t:1: the chat template refuses: no\\n1", ERR_DATA },
        { "{{ [].append(1) }}", "a method that would change a list",
          ERR_DATA },
        { "{{ ''.__class__ }}", "the attribute __class__", ERR_DATA },
        { "{% break %}", "break outside of a loop", ERR_DATA },
        { "{{ '\xc3\x9f'|upper }}", "the other case of U+00DF is not",
          ERR_DATA },
        { "{{ '\xce\xa3'|lower }}", "the other case of U+03A3", ERR_DATA },
        { "{{ 'a'|tojson(wild=1) }}", "not supported (found wild)",
          ERR_DATA },
        { "{% for i in range(999999) %}{% for i in range(9) %}{% if 0 %}"
          "{% endif %}{% endfor %}{% endfor %}", "over 10000000 steps",
          ERR_LIMIT },
        { "{% for i in range(999999) %}{% set x = range(99) %}{% endfor %}",
          "over ", ERR_LIMIT },
        { "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
          "nested more than 1000 deep", ERR_LIMIT },
        { "{% set x = 'a' * 9999999 %}{{ x * 99999999 }}",
          "over 10000000 steps", ERR_LIMIT },
        { "{{ ('a' * 999999) | replace('a', 'b' * 999) }}",
          "over 67108864 bytes", ERR_LIMIT },
        { "{% set ns = namespace(x=[], y=[]) %}{% for i in range(60) %}"
          "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}"
          "{% endfor %}{{ ns.x == ns.y }}", "over 10000000 steps",
          ERR_LIMIT },
        { "{% set x = 'a' * 2000000 %}{{ (x ~ x).rfind(x ~ 'b') }}",
          "over 10000000 steps", ERR_LIMIT },
        { "{% set ns = namespace(x=[]) %}{% for i in range(999) %}"
          "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
          "a value nested more than 200 deep", ERR_LIMIT },
        { "{% for a in range(9999) %}{% for b in range(9999) %}"
          "{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}{% endfor %}",
          "over 67108864 bytes of text", ERR_LIMIT }
    };
    struct given g;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        given_init(&g);
        run(&g, rows[i].template, strlen(rows[i].template));
        if (!CHECK(g.rc == rows[i].code) || !CHECK(strstr(g.e.text,
                                                          rows[i].why)))
            printf("# %s: %d %s\n", rows[i].template, g.rc, g.e.text);
        given_release(&g);
    }
}

/* n keys, or what has n names, between two texts. */
static void
put_many(struct buf *b, const char *before, const char *each, int n,
         const char *behind)
{
    buf_reset(b);
    buf_addstr(b, before);
    for (int i = 0; i < n; i++)
        buf_addf(b, each, i);
    buf_addstr(b, behind);
}

/* Without that these take minutes: each name is looked for among all. */
TEST(looking_for_names_counts)
{
    struct given g;
    struct buf b;

    buf_init(&b);
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            put_many(&b, "{% for i in range(100) %}{% set x = {", "%d:1,",
                     100000, "} %}{% endfor %}");
        else if (i == 1)
            put_many(&b, "", "{%% set v%d = 1 %%}", 40000, "");
        else
            put_many(&b, "{% set ns = namespace(a=1) %}",
                     "{%% set ns.v%d = 1 %%}", 30000, "");
        given_init(&g);
        run(&g, b.data, b.len);
        if (!CHECK(g.rc == ERR_LIMIT) || !CHECK(strstr(g.e.text, "steps")))
            printf("# %d: %d %s\n", i, g.rc, g.e.text);
        given_release(&g);
    }
    put_many(&b, "{\"x\":0", ",\"k%d\":0", 300000, "}");
    given_init(&g);
    add(&g, "user", "", b.data);
    run(&g, "{{ messages[0].k7 }}{{ messages[0]|length }}", 44);
    CHECK_EQ_U64(g.rc, 0);
    CHECK_STR(g.text.text.data, "0300003");
    given_release(&g);
    buf_release(&b);
}

TEST(depth_is_limited_in_templates)
{
    static const char *const opening[] = { "{{ (", "[", "{1:", "not ", "-",
                                           "{% if 1 %}", "x if 1 else " };
    struct buf b;
    struct given g;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++) {
        buf_reset(&b);
        buf_addstr(&b, i == 5 ? "" : "{{ ");
        for (int k = 0; k < 100000; k++)
            buf_addstr(&b, opening[i] + (i == 0 ? 3 : 0));
        buf_addstr(&b, "1 }}");
        given_init(&g);
        run(&g, b.data, b.len);
        if (!CHECK(g.rc == ERR_LIMIT))
            printf("# %s: %d %s\n", opening[i], g.rc, g.e.text);
        given_release(&g);
    }
    buf_reset(&b);
    buf_addstr(&b, "{{ 1");
    for (int k = 0; k < 5000; k++)
        buf_addstr(&b, " + 1");
    buf_addstr(&b, " }}");
    given_init(&g);
    run(&g, b.data, b.len);
    CHECK(g.rc == ERR_LIMIT);
    given_release(&g);
    buf_release(&b);
}

TEST(damaged_templates_are_refused_or_run)
{
    struct buf template;
    struct given g;
    struct err e;
    char was;

    buf_init(&template);
    CHECK(file_read_regular(&template, "tests/golden/chat/macros.jinja",
                            1u << 20, &e) == 0);
    for (size_t i = 0; i < template.len; i++) {
        was = template.data[i];
        template.data[i] = (char)("{}%'(|.\n"[i % 8]);
        given_init(&g);
        add(&g, "user", "x", "{\"tool_calls\":[{\"a\":1}]}");
        run(&g, template.data, template.len);
        CHECK(g.rc == 0 || g.rc == ERR_DATA || g.rc == ERR_LIMIT);
        given_release(&g);
        template.data[i] = was;
        given_init(&g);
        run(&g, template.data, i);
        CHECK(g.rc == 0 || g.rc == ERR_DATA || g.rc == ERR_LIMIT);
        given_release(&g);
    }
    buf_release(&template);
}

static const struct test tests[] = {
    RUN(templates_give_what_transformers_gives),
    RUN(bytes_know_where_they_are_from),
    RUN(a_list_shows_characters_that_do_not_show_as_python_does),
    RUN(cases_and_lines_are_those_of_python),
    RUN(bytes_know_whose_turn_it_is),
    RUN(templates_are_refused_by_name_and_line),
    RUN(looking_for_names_counts), RUN(depth_is_limited_in_templates),
    RUN(damaged_templates_are_refused_or_run)
};

TEST_MAIN("jinja", tests)
