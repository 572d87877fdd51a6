/* chat.c - what of a conversation is learned, where special tokens may be,
 * and which template a base brings. */
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "byte_tokenizer.h"
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
    if (strchr(template, '{')) {
        s->rc = jinja_read(&s->of.usual, template, strlen(template), "t",
                           &s->e);
    } else {
        buf_addf(&path, "tests/golden/chat/%s.jinja", template);
        s->rc = chat_template_open(&s->of, "nowhere/tokenizer.json", NULL,
                                   path.data, &s->e);
    }
    CHECK(s->rc == 0);
    cJSON_AddStringToObject(s->of.tokens, "bos_token", "<s>");
    cJSON_AddStringToObject(s->of.tokens, "eos_token", "</s>");
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
    close_scene(&s);
    buf_release(&b);
}

/* Where there is nothing that the assistant says, or it can't be told. */
TEST(without_a_target_all_is_the_target_if_all_is_learned)
{
    static const char *const rows[][3] = {
        { "inst", "user:a", "[[<s>[INST] a[/INST]]]" },
        { "{{ messages[0].content }}", "user:a\nassistant:", "[[a]]" },
        { "inst", "user:a\nassistant:b", "<s>[INST] a[/INST][[ b</s>]]" },
        { "{% for m in messages %}{{ m.content }}{% endfor %}"
          "{% if add_generation_prompt %}{{ raise_exception('no') }}"
          "{% endif %}", "user:a\nassistant:b", "[[ab]]" }
    };
    struct scene s;
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_scene(&s, rows[i][0]);
        say_all(&s, rows[i][1]);
        CHECK(chat_end(&s.chat, false, true, &s.e) == 0);
        spell(&s.chat, true, &b);
        CHECK_STR(b.data, rows[i][2]);
        close_scene(&s);
    }
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

#define CONFIG "tokenizer_config.json"
#define MAP "special_tokens_map.json"
#define MORE "additional_chat_templates/"

/* A directory with a tokenizer of bytes and the tokens <s> and </s>. */
struct base {
    char dir[32];
    struct tokenizer t;
    struct chat_template c;
    struct err e;
};

static void
base_make(struct base *b)
{
    static const char *const special[] = { "<s>", "</s>", NULL };

    snprintf(b->dir, sizeof(b->dir), "/tmp/graft-chat-XXXXXX");
    if (!CHECK(mkdtemp(b->dir)))
        exit(1);
    byte_tokenizer(&b->t, special);
    chat_template_init(&b->c);
}

/* Puts a file there, none for NULL. */
static void
put(struct base *b, const char *name, const char *text)
{
    char *path = path_join(b->dir, name), *in = path_parent(path);

    mkdir(in, 0700);
    if (text)
        CHECK(file_write(path, text, strlen(text), &b->e) == 0);
    else
        unlink(path);
    free(in);
    free(path);
}

/* Opens b->c anew. */
static void
look(struct base *b)
{
    char *path = path_join(b->dir, "tokenizer.json");

    chat_template_release(&b->c);
    chat_template_init(&b->c);
    CHECK(chat_template_open(&b->c, path, &b->t, NULL, &b->e) == 0);
    free(path);
}

static void
base_remove(struct base *b)
{
    static const char *const name[] = {
        CONFIG, MAP, "chat_template.jinja", "added_tokens.json",
        MORE "default.jinja", MORE "tool_use.jinja"
    };
    char *more = path_join(b->dir, MORE);

    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
        put(b, name[i], NULL);
    rmdir(more);
    rmdir(b->dir);
    free(more);
    chat_template_release(&b->c);
    tokenizer_release(&b->t);
}

static void
check_refused(struct base *b, const char *why)
{
    look(b);
    if (!CHECK(chat_template_ok(&b->c, &b->e) == ERR_DATA
               && strstr(b->e.text, why)))
        printf("# not '%s': %s\n", why, b->e.text);
}

static void
check_taken(struct base *b, const char *usual, const char *tools)
{
    look(b);
    if (!CHECK(chat_template_ok(&b->c, &b->e) == 0)) {
        printf("# %s\n", b->e.text);
        return;
    }
    CHECK_STR(jinja_source(b->c.usual), usual);
    CHECK((b->c.tools != NULL) == (tools != NULL));
    if (b->c.tools && tools)
        CHECK_STR(jinja_source(b->c.tools), tools);
}

TEST(a_base_brings_its_template)
{
    struct base b;

    base_make(&b);
    check_refused(&b, "no chat template beside the tokenizer");
    put(&b, CONFIG, "{\"chat_template\":\"a\"}");
    check_taken(&b, "a", NULL);
    put(&b, CONFIG, "{\"chat_template\":{\"tool_use\":\"b\","
        "\"default\":\"a\",\"rag\":\"c\"}}");
    check_taken(&b, "a", "b");
    put(&b, CONFIG, "{\"chat_template\":[{\"name\":\"default\","
        "\"template\":\"x\"},{\"name\":\"tool_use\",\"template\":\"b\"},"
        "{\"name\":\"default\",\"template\":\"a\"}]}");
    check_taken(&b, "a", "b"); /* the last of a name */
    put(&b, "chat_template.jinja", "c\n");
    check_taken(&b, "c", NULL); /* the key is not looked at any more */
    put(&b, MORE "tool_use.jinja", "d");
    check_taken(&b, "c", "d");
    put(&b, MORE "default.jinja", "e");
    check_taken(&b, "e", "d");
    base_remove(&b);
}

TEST(a_template_that_is_none_is_refused)
{
    struct base b;

    base_make(&b);
    put(&b, CONFIG, "{\"chat_template\":5}");
    check_refused(&b, CONFIG ": chat_template (expected a text, or names");
    put(&b, CONFIG, "{\"chat_template\":[{\"name\":\"default\"}]}");
    check_refused(&b, CONFIG ": chat_template (expected a text, or names");
    put(&b, CONFIG, "{\"chat_template\":[]}");
    check_refused(&b, "several chat templates beside the tokenizer, and");
    put(&b, CONFIG, "[]");
    check_refused(&b, CONFIG ": no JSON object");
    put(&b, CONFIG, "{\"chat_template\":\"a\",\"split_special_tokens\":"
        "true}");
    check_refused(&b, CONFIG ": split_special_tokens (expected false)");
    put(&b, "chat_template.jinja", "{% block x %}");
    check_refused(&b, "chat_template.jinja:1: the tag 'block'");
    put(&b, "chat_template.jinja", "a\xff");
    check_refused(&b, "chat_template.jinja: byte 1: invalid UTF-8");
    put(&b, "chat_template.jinja", "c");
    put(&b, CONFIG, "{\"chat_template\":");
    check_refused(&b, CONFIG ": byte 17");
    base_remove(&b);
}

/* The tokens by name, as JSON. */
static void
check_tokens(struct base *b, const char *want)
{
    char *text;

    look(b);
    text = cJSON_PrintUnformatted(b->c.tokens);
    CHECK_STR(text, want);
    cJSON_free(text);
}

TEST(a_base_names_its_tokens)
{
    struct base b;

    base_make(&b);
    put(&b, CONFIG, "{\"eos_token\":{\"content\":\"</s>\"},"
        "\"bos_token\":null,\"add_bos_token\":true,\"a_token\":\"<s>\","
        "\"extra_special_tokens\":{\"image\":\"<s>\"}}");
    check_tokens(&b, "{\"eos_token\":\"</s>\",\"bos_token\":null,"
                 "\"a_token\":\"<s>\",\"image\":\"<s>\"}");
    put(&b, MAP, "{\"eos_token\":\"<s>\",\"a_token\":\"b\"}");
    check_tokens(&b, "{\"bos_token\":null,\"image\":\"<s>\","
                 "\"eos_token\":\"<s>\",\"a_token\":\"b\"}");
    put(&b, CONFIG, "{\"eos_token\":\"</s>\",\"added_tokens_decoder\":{}}");
    check_tokens(&b, "{\"eos_token\":\"</s>\"}");
    put(&b, CONFIG, "{\"eos_token\":\"</s>\"}");
    put(&b, MAP, "{\"eos_token\":null}");
    check_tokens(&b, "{\"eos_token\":null}");
    put(&b, CONFIG, "{\"tokenizer_class\":\"Qwen2TokenizerFast\","
        "\"pad_token\":\"<s>\"}");
    check_tokens(&b, "{\"pad_token\":\"<s>\",\"eos_token\":null,"
                 "\"unk_token\":\"<|endoftext|>\"}");
    put(&b, MAP, "{\"eos_token\":7}");
    check_refused(&b, MAP ": eos_token (expected a token or null)");
    base_remove(&b);
}

/* Lays "x" and an answer "y" out by the base's template. */
static void
check_talk(struct base *b, const char *template, const char *why)
{
    struct chat chat;

    put(b, "chat_template.jinja", template);
    look(b);
    CHECK(chat_template_ok(&b->c, &b->e) == 0);
    chat_init(&chat);
    chat_begin(&chat, &b->c);
    CHECK(chat_add(&chat, "user", 4, "x", 1, NULL, 0, &b->e) == 0);
    CHECK(chat_add(&chat, "assistant", 9, "y", 1, NULL, 0, &b->e) == 0);
    b->e.text[0] = '\0';
    CHECK(chat_end(&chat, false, false, &b->e) == (*why ? ERR_DATA : 0));
    if (!CHECK(strstr(b->e.text, why)))
        printf("# %s: %s\n", template, b->e.text);
    chat_release(&chat);
}

#define EACH(x) "{% for m in messages %}{{ m.content }}" x "{% endfor %}"
#define NEW "is a token by the files beside tokenizer.json, but not that"

TEST(a_token_that_the_tokenizer_has_not_is_refused_where_it_is_written)
{
    struct base b;

    base_make(&b);
    put(&b, CONFIG, "{\"eos_token\":\"</s>\",\"pad_token\":\"<pad>\"}");
    check_talk(&b, EACH("{{ eos_token }}"), "");
    check_talk(&b, EACH("{{ pad_token }}"), "\"<pad>\", which");
    check_talk(&b, EACH("<{{ 'pad' }}>"), NEW);
    put(&b, CONFIG, "{\"additional_special_tokens\":[\"<s>\",\"<n>\"]}");
    check_talk(&b, EACH("<s>"), "");
    check_talk(&b, EACH("<n>"), NEW);
    put(&b, CONFIG, "{\"added_tokens_decoder\":{\"256\":{\"content\":"
        "\"<s>\",\"special\":true},\"257\":{\"content\":\"</s>\","
        "\"rstrip\":true},\"258\":{\"content\":\"y\"}}}");
    check_talk(&b, EACH("<s>"), "\"y\", which"); /* a word */
    put(&b, CONFIG, "{\"added_tokens_decoder\":{\"256\":{\"content\":"
        "\"<s>\",\"special\":true},\"257\":{\"content\":\"</s>\","
        "\"special\":true,\"rstrip\":true}}}");
    check_talk(&b, EACH("<s>"), "");
    check_talk(&b, EACH("</s>"), NEW);
    put(&b, CONFIG, "{}");
    check_talk(&b, EACH("</s>"), "");
    put(&b, "added_tokens.json", "{\"<n>\":258}");
    check_talk(&b, EACH("<n>"), NEW);
    base_remove(&b);
}

static const struct test tests[] = {
    RUN(the_assistant_is_learned_with_its_end),
    RUN(a_foot_behind_the_assistant_is_learned),
    RUN(a_prompt_that_says_more_than_a_turn_is_compared),
    RUN(calls_of_tools_are_learned_and_results_are_not),
    RUN(generation_tags_decide_where_there_are_any),
    RUN(what_people_write_holds_no_marks),
    RUN(without_a_target_all_is_the_target_if_all_is_learned),
    RUN(what_gives_nothing_to_learn_is_refused),
    RUN(a_message_that_a_template_passes_over_is_named),
    RUN(one_system_message_may_stand_for_others),
    RUN(many_turns_take_few_renderings),
    RUN(a_base_brings_its_template),
    RUN(a_template_that_is_none_is_refused),
    RUN(a_base_names_its_tokens),
    RUN(a_token_that_the_tokenizer_has_not_is_refused_where_it_is_written)
};

TEST_MAIN("chat", tests)
