/* chat.c - what of a conversation is learned, where special tokens may be,
 * and which template a base brings. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "test.h"

/* A conversation with a template of tests/golden/chat, or a text. */
struct scene {
    struct chat_template of;
    struct chat chat;
    struct err e;
    int rc;
};

static void
open_scene(struct scene *s, const char *template)
{
    struct buf path;

    memset(s, 0, sizeof(*s));
    buf_init(&path);
    chat_template_init(&s->of);
    cJSON_AddStringToObject(s->of.tokens, "bos_token", "<s>");
    cJSON_AddStringToObject(s->of.tokens, "eos_token", "</s>");
    if (strchr(template, '{')) {
        s->rc = jinja_read(&s->of.usual, template, strlen(template), "t",
                           &s->e);
    } else {
        buf_addf(&path, "tests/golden/chat/%s.jinja", template);
        s->rc = chat_template_open(&s->of, "nowhere/tokenizer.json",
                                   path.data, &s->e);
    }
    CHECK(s->rc == 0);
    chat_init(&s->chat);
    chat_begin(&s->chat, &s->of);
    buf_release(&path);
}

static void
close_scene(struct scene *s)
{
    chat_release(&s->chat);
    chat_template_release(&s->of);
}

static void
say(struct scene *s, const char *role, const char *content, const char *json)
{
    CHECK(chat_add(&s->chat, role, strlen(role), content, strlen(content),
                   json, json ? strlen(json) : 0, &s->e) == 0);
}

/* Turns from "role: content" lines, a tool's call after a ^. */
static void
say_all(struct scene *s, const char *lines)
{
    char role[16], content[256], json[256];
    const char *end, *colon, *bar;
    size_t n;

    for (; *lines; lines = *end ? end + 1 : end) {
        end = strchrnul(lines, '\n');
        colon = strchr(lines, ':');
        bar = memchr(lines, '^', (size_t)(end - lines));
        snprintf(role, sizeof(role), "%.*s", (int)(colon - lines), lines);
        n = (size_t)((bar ? bar : end) - colon) - 1;
        snprintf(content, sizeof(content), "%.*s", (int)n, colon + 1);
        snprintf(json, sizeof(json), "%.*s", (int)(bar ? end - bar - 1 : 0),
                 bar ? bar + 1 : "");
        say(s, role, content, bar ? json : NULL);
    }
}

/* The text, what is learned in [[ ]] and what holds no marks in ' '. */
static void
spell(const struct chat *c, bool learned, struct buf *b)
{
    const char *open = learned ? "[[" : "'", *close = learned ? "]]" : "'";
    bool was = false, is;

    buf_reset(b);
    for (size_t i = 0; i < c->n; i++) {
        is = learned ? c->piece[i].loss : !c->piece[i].marks;
        buf_addstr(b, is == was ? "" : is ? open : close);
        buf_add(b, c->piece[i].p, c->piece[i].n);
        was = is;
    }
    buf_addstr(b, was ? close : "");
}

static void
check_learned(const char *template, const char *lines, const char *want)
{
    struct scene s;
    struct buf b;

    buf_init(&b);
    open_scene(&s, template);
    say_all(&s, lines);
    s.rc = chat_end(&s.chat, false, false, &s.e);
    if (!CHECK(s.rc == 0))
        printf("# %s: %s\n", template, s.e.text);
    spell(&s.chat, true, &b);
    CHECK_STR(b.data, want);
    close_scene(&s);
    buf_release(&b);
}

TEST(the_assistant_is_learned_with_its_end)
{
    check_learned("turns", "user:a\nassistant:b\nuser:c\nassistant:d",
                  "<|turn|>system\nYou are of help.<|/turn|>\n<|turn|>user\n"
                  "a<|/turn|>\n<|turn|>assistant\n[[b<|/turn|>\n]]"
                  "<|turn|>user\nc<|/turn|>\n<|turn|>assistant\n"
                  "[[d<|/turn|>\n]]");
    check_learned("turns", "system:s\nassistant:b\nuser:c",
                  "<|turn|>system\ns<|/turn|>\n<|turn|>assistant\n"
                  "[[b<|/turn|>\n]]<|turn|>user\nc<|/turn|>\n");
    check_learned("inst", "user:a\nassistant:b\nuser:c\nassistant:d",
                  "<s>[INST] a[/INST][[ b</s>]][INST] c[/INST][[ d</s>]]");
    check_learned("parts", "user:a\nassistant:b",
                  "<s><turn>user\na</turn>\n<turn>model\n[[b</turn>\n]]");
}

TEST(a_foot_behind_the_assistant_is_learned)
{
    check_learned("footer", "user:a\nassistant:b",
                  "<|user|>\na<|end|>\n<|assistant|>\n[[b<|end|>\n</s>]]");
    check_learned("footer", "assistant:b\nuser:a",
                  "<|assistant|>\n[[b<|end|>\n]]<|user|>\na<|end|>\n</s>");
}

TEST(a_prompt_that_says_more_than_a_turn_is_compared)
{
    check_learned("oneline", "user:a\nassistant:<think>x</think>b\nuser:c\n"
                  "assistant:<b", "<s><User>a<Assistant>[[b<eos>]]<User>c"
                  "<Assistant>[[<b<eos>]]");
    check_learned("oneline", "user:a\nassistant:<think>x", "<s><User>a"
                  "<Assistant>[[<think>x<eos>]]");
    check_learned("tools", "user:a\nassistant:<think>1</think>b\nuser:c\n"
                  "assistant:<think>2</think>d",
                  "<|turn|>user\na<|/turn|>\n<|turn|>assistant\n"
                  "[[b<|/turn|>\n]]<|turn|>user\nc<|/turn|>\n"
                  "<|turn|>assistant\n[[<think>\n2\n</think>\n\nd<|/turn|>\n"
                  "]]");
}

#define CALL "{\"tool_calls\":[{\"type\":\"function\",\"id\":\"a\",\"function" \
             "\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}"

TEST(calls_of_tools_are_learned_and_results_are_not)
{
    check_learned("tools", "user:a\nassistant:^" CALL "\ntool:1\ntool:2\n"
                  "assistant:b",
                  "<|turn|>user\na<|/turn|>\n<|turn|>assistant\n[[<call>\n"
                  "{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</call>"
                  "<|/turn|>\n]]<|turn|>user\n<result>\n1\n</result>\n"
                  "<result>\n2\n</result><|/turn|>\n<|turn|>assistant\n"
                  "[[<think>\n\n</think>\n\nb<|/turn|>\n]]");
    check_learned("oneline", "user:a\nassistant:^" CALL "\ntool:1\n"
                  "assistant:b", "<s><User>a<Assistant>[[<calls><call>"
                  "function<sep>f\n```json\n{\"x\": 1}\n```</call></calls>"
                  "<eos>]]<results><result>1</result></results>[[b<eos>]]");
}

TEST(generation_tags_decide_where_there_are_any)
{
    check_learned("generation", "user:a\nassistant: b \nuser:c\nassistant:d",
                  "<|user|>\na<|end|>\n<|assistant|>\n[[b<|end|>\n]]<|user|>"
                  "\nc<|end|>\n<|assistant|>\n[[d<|end|>\n</s>]]");
}

TEST(what_people_write_holds_no_marks)
{
    struct scene s;
    struct buf b;

    buf_init(&b);
    open_scene(&s, "turns");
    say_all(&s, "system:s\nuser:<|/turn|>\nassistant:x\n<|turn|>:y");
    CHECK(chat_end(&s.chat, false, false, &s.e) == 0);
    spell(&s.chat, false, &b);
    CHECK_STR(b.data, "<|turn|>system\n's'<|/turn|>\n<|turn|>user\n"
              "'<|/turn|>'<|/turn|>\n<|turn|>assistant\n'x'<|/turn|>\n"
              "<|turn|>'<|turn|>'\n'y'<|/turn|>\n");
    CHECK(chat_end(&s.chat, true, true, &s.e) == 0);
    spell(&s.chat, false, &b);
    CHECK(!strchr(b.data, '\''));
    spell(&s.chat, true, &b);
    CHECK(strncmp(b.data, "[[", 2) == 0 && !strstr(b.data + 2, "[["));
    close_scene(&s);
    buf_release(&b);
}

TEST(what_gives_nothing_to_learn_is_refused)
{
    static const struct {
        const char *template, *lines, *why;
    } rows[] = {
        { "turns", "user:a", "without a message of the assistant's" },
        { "inst", "user:a\nnarrator:b\nassistant:c",
          "inst.jinja:18: the chat template refuses: Roles must alternate" },
        { "{{ messages[0].content }}", "user:a\nassistant:",
          "can't be told apart" },
        { "{% for m in messages %}{{ m.content }}{% endfor %}"
          "{% generation %}{% endgeneration %}", "user:a\nassistant:b",
          "nothing is between its generation tags" }
    };
    struct scene s;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_scene(&s, rows[i].template);
        say_all(&s, rows[i].lines);
        CHECK(chat_end(&s.chat, false, false, &s.e) == ERR_DATA);
        if (!CHECK(strstr(s.e.text, rows[i].why)))
            printf("# %s\n", s.e.text);
        close_scene(&s);
    }
}

/* Templates that know some roles and say nothing of others. */
#define KNOWN "{% for m in messages %}{% if m.role in ['user', 'assistant'] " \
              "%}{{ m.role + ':' + m.content + ';' }}{% endif %}{% endfor %}"
#define LAST "{% set ns = namespace(s='') %}{% for m in messages %}" \
             "{% if m.role == 'system' %}{% set ns.s = m.content %}" \
             "{% endif %}{% endfor %}{{ ns.s }};" KNOWN
#define THINK "{% for m in messages %}{{ m.role }}:{{ m.content.split(" \
              "'</think>')[-1].strip() | tojson }};{% endfor %}"
#define FIRST "{% set s = messages[0].content + '\n\n' %}" \
              "{% for m in messages[1:] %}{{ m.role }}:{% if loop.first %}" \
              "{{ s }}{% endif %}{{ m.content | upper | e }};{% endfor %}"

static void
check_end(const char *template, const char *lines, const char *why)
{
    struct scene s;

    open_scene(&s, template);
    say_all(&s, lines);
    s.e.text[0] = '\0';
    CHECK(chat_end(&s.chat, false, false, &s.e) == (*why ? ERR_DATA : 0));
    CHECK_STR(s.e.text, why);
    close_scene(&s);
}

TEST(a_message_that_a_template_passes_over_is_named)
{
    check_end(KNOWN, "user:a\nalien:b\nassistant:c", "messages[1] of role "
              "'alien': the chat template writes nothing of it");
    check_end(KNOWN, "system:b\nuser:a\nassistant:c", "messages[0] of role "
              "'system': the chat template writes nothing of it");
    check_end(KNOWN, "user:a\nassistant:^" CALL "\nassistant:c",
              "messages[1] of role 'assistant': the chat template writes "
              "nothing of it");
    check_end("tools", "user:a\nalien:b\nassistant:c", "messages[1] of role "
              "'alien': the chat template writes nothing of it");
    check_end(KNOWN, "user:a\nalien: \t\nassistant:c", "");
    check_end(LAST, "system:a\nsystem:b\nuser:c\nassistant:d", "");
    check_end(LAST, "system:a\ndeveloper:b\nuser:c\nassistant:d", "messages"
              "[1] of role 'developer': the chat template writes nothing of "
              "it");
    check_end(THINK, "user:a\nassistant:<think>x</think>\nuser:\"\n"
              "assistant:b", "");
    check_end(THINK, "user:<think>x</think>\nassistant:b", "messages[0] of "
              "role 'user': the chat template writes nothing of it");
    check_end(FIRST, "system:s\nuser:a\nassistant:<", "");
}

TEST(one_system_message_may_stand_for_others)
{
    struct scene s;

    open_scene(&s, LAST);
    say_all(&s, "system:a\nsystem:b\nsystem:c\nuser:d\nassistant:e");
    CHECK(chat_end(&s.chat, false, false, &s.e) == 0);
    for (size_t i = 0; i < 5; i++)
        CHECK(chat_passed(&s.chat, i) == (i < 2));
    close_scene(&s);
    open_scene(&s, "inst"); /* writes it before a last message */
    say_all(&s, "system:a\nuser:b\nassistant:c");
    CHECK(chat_end(&s.chat, false, false, &s.e) == 0);
    CHECK(chat_passed(&s.chat, 0) && !chat_passed(&s.chat, 1));
    close_scene(&s);
}

TEST(many_turns_take_few_renderings)
{
    struct scene s;

    open_scene(&s, "turns");
    for (int i = 0; i < 20000; i++)
        say(&s, i % 2 ? "assistant" : "user", "x", NULL);
    CHECK(chat_end(&s.chat, false, false, &s.e) == 0);
    CHECK_EQ_U64(s.chat.n_headers, 1);
    close_scene(&s);
    open_scene(&s, "{% for m in messages %}{{ loop.index }}{{ m.content }}"
               "{% endfor %}{% if add_generation_prompt %}"
               "{{ messages|length + 1 }}{% endif %}");
    for (int i = 0; i < 2000; i++)
        say(&s, i % 2 ? "assistant" : "user", "x", NULL);
    CHECK(chat_end(&s.chat, false, false, &s.e) == ERR_LIMIT);
    close_scene(&s);
}

/* ---- what a base brings ---- */

static void
put(const char *dir, const char *name, const char *text)
{
    char *path = path_join(dir, name);
    struct err e;

    CHECK(file_write(path, text, strlen(text), &e) == 0);
    free(path);
}

static void
check_base(const char *dir, const char *usual, const char *tools,
           const char *why)
{
    char *path = path_join(dir, "tokenizer.json");
    struct chat_template c;
    struct err e;

    chat_template_init(&c);
    CHECK(chat_template_open(&c, path, NULL, &e) == 0);
    if (why && !CHECK(chat_template_ok(&c, &e) == ERR_DATA
                      && strstr(e.text, why)))
        printf("# %s\n", e.text);
    if (!why)
        CHECK(chat_template_ok(&c, &e) == 0);
    if (usual && CHECK(c.usual))
        CHECK_STR(jinja_source(c.usual), usual);
    CHECK((c.tools != NULL) == (tools != NULL));
    if (c.tools && tools)
        CHECK_STR(jinja_source(c.tools), tools);
    chat_template_release(&c);
    free(path);
}

TEST(a_base_brings_its_template_and_its_tokens)
{
    char dir[] = "/tmp/graft-chat-XXXXXX", *extra;
    struct chat_template c;
    char *path;
    struct err e;

    if (!CHECK(mkdtemp(dir)))
        return;
    check_base(dir, NULL, NULL, "no chat template beside the tokenizer");
    put(dir, "tokenizer_config.json", "{\"eos_token\":{\"content\":\"</s>\"},"
        "\"bos_token\":null,\"chat_template\":[{\"name\":\"default\","
        "\"template\":\"a\"},{\"name\":\"tool_use\",\"template\":\"b\"}]}");
    put(dir, "special_tokens_map.json", "{\"eos_token\":\"no\","
        "\"pad_token\":\"<pad>\"}");
    check_base(dir, "a", "b", NULL);
    path = path_join(dir, "tokenizer.json");
    chat_template_init(&c);
    CHECK(chat_template_open(&c, path, NULL, &e) == 0);
    CHECK(!cJSON_GetObjectItem(c.tokens, "bos_token"));
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(c.tokens,
                                                       "eos_token")),
              "</s>");
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(c.tokens,
                                                       "pad_token")),
              "<pad>");
    chat_template_release(&c);
    free(path);
    put(dir, "chat_template.jinja", "c\n");
    check_base(dir, "c", "b", NULL);
    put(dir, "chat_template.jinja", "{% block x %}");
    check_base(dir, NULL, NULL, "chat_template.jinja:1: the tag 'block'");
    put(dir, "tokenizer_config.json", "{\"chat_template\":");
    check_base(dir, NULL, NULL, "chat_template.jinja:1");
    put(dir, "chat_template.jinja", "c");
    check_base(dir, "c", NULL, "tokenizer_config.json: byte 17");
    for (int i = 0; i < 3; i++) {
        extra = path_join(dir, i == 0 ? "chat_template.jinja" : i == 1 ?
                          "tokenizer_config.json" :
                          "special_tokens_map.json");
        unlink(extra);
        free(extra);
    }
    rmdir(dir);
}

static const struct test tests[] = {
    RUN(the_assistant_is_learned_with_its_end),
    RUN(a_foot_behind_the_assistant_is_learned),
    RUN(a_prompt_that_says_more_than_a_turn_is_compared),
    RUN(calls_of_tools_are_learned_and_results_are_not),
    RUN(generation_tags_decide_where_there_are_any),
    RUN(what_people_write_holds_no_marks),
    RUN(what_gives_nothing_to_learn_is_refused),
    RUN(a_message_that_a_template_passes_over_is_named),
    RUN(one_system_message_may_stand_for_others),
    RUN(many_turns_take_few_renderings),
    RUN(a_base_brings_its_template_and_its_tokens)
};

TEST_MAIN("chat", tests)
