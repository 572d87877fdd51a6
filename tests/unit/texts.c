/* texts.c - which texts a record of each kind is taken for. */
#include "record/texts.h"

#include "test.h"

static void
add(void *ctx, const char *p, size_t n)
{
    buf_add(ctx, p, n);
    buf_addc(ctx, '|');
}

/* The texts of a record with these fields, which NULL ends, each before a
 * '|'. */
static int
join(struct buf *got, enum text_kind kind, const char *const *field)
{
    struct text_rec rec;
    struct texts t;
    struct buf raw;
    struct err e;
    int rc;

    text_init(&rec);
    texts_init(&t);
    buf_init(&raw);
    buf_reset(got);
    text_begin(&rec, kind);
    for (; *field != NULL; field += 2)
        text_add_str(&rec, field[0], field[1]);
    CHECK(text_encode(&raw, &rec, &e) == 0);
    rc = texts_of(&t, raw.data, raw.len, add, got, &e);
    buf_release(&raw);
    texts_release(&t);
    text_release(&rec);
    return rc;
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The record's texts are these. */
static void
gives(enum text_kind kind, const char *const *field, const char *want)
{
    struct buf got;

    buf_init(&got);
    CHECK(join(&got, kind, field) == 0);
    CHECK_STR(got.data, want);
    buf_release(&got);
}

TEST(a_file_and_a_document_are_their_text)
{
    gives(TEXT_FILE, FIELDS("repo", "r", "path", "a.c", "lang", "c", "text",
                            "int x;\n"), "int x;\n|");
    gives(TEXT_DOC, FIELDS("text", ""), "|");
    gives(TEXT_DOC, FIELDS("other", "x"), "");
}

TEST(a_chat_is_its_messages)
{
    gives(TEXT_CHAT, FIELDS("role", "user", "content", "hi", "role",
                            "assistant", "content", "ho"), "hi|ho|");
}

TEST(a_commit_is_its_message_and_what_it_left)
{
    gives(TEXT_COMMIT, FIELDS("author", "author_1", "subject", "s", "body",
                              "b", "path", "p", "change",
                              "3 3\n@@ -2,1 +2,1 @@\n-old\n+new\n"),
          "s|b|new\n|");
    gives(TEXT_COMMIT, FIELDS("subject", "s", "change",
                              "1 -\n@@ -1,1 +0,0 @@\n-old\n"),
          "s|old\n|");
    gives(TEXT_COMMIT, FIELDS("subject", "s"), "s|");
}

TEST(a_change_that_is_none_is_refused)
{
    struct buf got;

    buf_init(&got);
    CHECK(join(&got, TEXT_COMMIT, FIELDS("change", "3 3\n@@ -2,1"))
          == ERR_DATA);
    buf_release(&got);
}

static const struct test tests[] = {
    RUN(a_file_and_a_document_are_their_text),
    RUN(a_chat_is_its_messages),
    RUN(a_commit_is_its_message_and_what_it_left),
    RUN(a_change_that_is_none_is_refused),
};

TEST_MAIN("texts", tests)
