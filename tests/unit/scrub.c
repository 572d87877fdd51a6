/* scrub.c - keywords, sums and ranges, keys over many lines, and placeholders
 * in the fields of a record. */
#include "record/scrub.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "test.h"
#include "text/keywords.h"

/* ---- keywords ---- */

static int
on_hit(void *ctx, uint32_t value, size_t end)
{
    buf_addf(ctx, "%u@%zu ", value, end);
    return value == 99 ? -1 : 0;
}

/* What of the words, by their places, is found in the text. */
static void
finds(const char *const *word, const char *text, const char *want)
{
    struct keywords k;
    struct buf got;
    struct err e;

    keywords_init(&k);
    buf_init(&got);
    for (uint32_t i = 0; word[i]; i++)
        keywords_add(&k, word[i], strlen(word[i]),
                     strcmp(word[i], "stop") == 0 ? 99 : i);
    CHECK(keywords_build(&k, &e) == 0);
    keywords_find(&k, text, strlen(text), on_hit, &got);
    CHECK_STR(got.data, want);
    buf_release(&got);
    keywords_release(&k);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(keywords_are_found_where_they_end)
{
    finds(WORDS("he", "she", "his", "hers"), "ushers", "1@4 0@4 3@6 ");
    finds(WORDS("a", "aa", "aaa"), "aaa", "0@1 1@2 0@2 2@3 1@3 0@3 ");
    finds(WORDS("abcd", "bc"), "abce", "1@3 ");
    finds(WORDS("x", "x"), "x", "1@1 0@1 ");
    finds(WORDS("abc"), "", "");
    finds(WORDS("abc"), "ababab", "");
}

TEST(keywords_know_neither_case_nor_digits)
{
    finds(WORDS("GhP_", "0.0"), "ghp_ GHP_ 7.3", "0@4 0@9 1@13 ");
    finds(WORDS("a7"), "A3", "0@2 ");
}

TEST(keywords_stop_where_they_are_told_to)
{
    finds(WORDS("a", "stop", "b"), "a stop b", "0@1 99@6 ");
}

TEST(every_byte_may_be_in_a_keyword)
{
    char all[257], want[32];
    size_t n = 0;

    for (int c = 1; c < 256; c++)
        if (c != '\n')
            all[n++] = (char)c;
    all[n] = '\0';
    snprintf(want, sizeof(want), "0@%zu ", n);
    finds(WORDS(all), all, want);
}

/* ---- checks ---- */

/* Whether the part of the line between | and | passes. */
static bool
passes(const char *check, const char *text)
{
    const char *first = strchr(text, '|'), *last = strrchr(text, '|');
    size_t at = (size_t)(first - text), end = (size_t)(last - text) - 1;
    char line[200];

    snprintf(line, sizeof(line), "%.*s%.*s%s", (int)at, text,
             (int)(end - at), first + 1, last + 1);
    return personal_find(check)(
        &(struct personal){ line, strlen(line), at, end });
}

TEST(entropy_is_shannons)
{
    CHECK(entropy_bits("", 0) == 0);
    CHECK(entropy_bits("aaaa", 4) == 0);
    CHECK(fabs(entropy_bits("abcd", 4) - 2) < 1e-12);
    CHECK(fabs(entropy_bits("aab", 3) - 0.9182958340544896) < 1e-12);
}

TEST(cards_have_a_sum_an_issuer_and_a_place)
{
    CHECK(passes("card", "|4539 1488 0343 6467|"));
    CHECK(!passes("card", "|4539 1488 0343 6468|"));
    CHECK(!passes("card", "|4539148803436467|"));
    CHECK(passes("card", "card: |4539148803436467|"));
    CHECK(!passes("card", "discard |4539148803436467|"));
    CHECK(!passes("card", "|4242 4242 4242 4242|"));
    CHECK(!passes("card", "|9539-1488-0343-6467|"));
    CHECK(passes("card", "|3719-998887-77665|"));
}

TEST(accounts_have_a_length_and_a_sum)
{
    CHECK(passes("iban", "|DE89 3704 0044 0532 0130 00|"));
    CHECK(passes("iban", "|GB82WEST12345698765432|"));
    CHECK(!passes("iban", "|GB82WEST12345698765433|"));
    CHECK(!passes("iban", "|GB82WEST1234569876543|"));
    CHECK(!passes("iban", "|ZZ82WEST12345698765432|"));
}

TEST(addresses_are_of_nobody_or_of_somebody)
{
    CHECK(passes("ipv4", "|81.2.69.142|"));
    CHECK(!passes("ipv4", "|10.2.69.142|"));
    CHECK(!passes("ipv4", "|172.31.69.142|"));
    CHECK(passes("ipv4", "|172.32.69.142|"));
    CHECK(!passes("ipv4", "|8.8.8.8|"));
    CHECK(!passes("ipv4", "|255.255.255.0|"));
    CHECK(!passes("ipv4", "|25.2.3.4|"));
    CHECK(!passes("ipv4", "host |1.2.3.4|:80"));
    CHECK(passes("ipv4", "host |25.2.3.4|"));
    CHECK(passes("ipv4", "|25.2.3.4|:80"));
    CHECK(passes("ipv4", "http://|25.2.3.4|/"));
    CHECK(!passes("ipv4", "version |81.2.69.142|"));
    CHECK(!passes("ipv4", "Mozilla/|81.2.69.142|"));
    CHECK(passes("ipv6", "|2a02:26f0:fe::1|"));
    CHECK(!passes("ipv6", "|2001:db8::1|"));
    CHECK(!passes("ipv6", "|2001:4860:4860::8888|"));
    CHECK(!passes("ipv6", "|fe80::1|"));
    CHECK(!passes("ipv6", "|2a02:::1|"));
}

TEST(mail_is_kept_where_nobody_reads_it)
{
    CHECK(passes("mail", "|ada@acme.org|"));
    CHECK(!passes("mail", "|ada@example.org|"));
    CHECK(!passes("mail", "|ada@mail.example.com|"));
    CHECK(passes("mail", "|ada@myexample.com|"));
    CHECK(!passes("mail", "|noreply@acme.org|"));
    CHECK(!passes("mail", "|1+ada@users.noreply.github.com|"));
    CHECK(!passes("mail", "|git@github.com|"));
    CHECK(!passes("mail", "|icon@2x.png|"));
    CHECK(!passes("mail", "|nick@company.xx|"));
    CHECK(!passes("mail", "ssh://|ada@acme.org|/x"));
    CHECK(!passes("mail", "(https://ada:|pw@acme.org|)"));
    CHECK(passes("mail", "mailto:|ada@acme.org|"));
    CHECK(passes("mail", "https://acme.org/,|ada@acme.org|"));
    CHECK(!passes("mail", "|getty@tty1.service|"));
}

TEST(telephones_have_many_digits)
{
    CHECK(passes("phone", "|+49 30 1234 5678|"));
    CHECK(!passes("phone", "|+49 30 12|"));
    CHECK(!passes("phone", "max(|+2147483647|)"));
    CHECK(passes("phone", "phone |+2147483647|"));
    CHECK(!passes("phone", "|(212) 555-0123|"));
    CHECK(!passes("phone", "|000-000-0000|"));
}

/* ---- records ---- */

struct world {
    struct scrub_rules rules;
    struct scrub_worker w;
};

static char dir[] = "/tmp/graft-scrub-XXXXXX";

static const char *
put(const char *name, const char *text)
{
    static char path[80];
    struct err e;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK(file_write(path, text, strlen(text), &e) == 0);
    return path;
}

/* With these names, or NULL. */
static void
world_init(struct world *t, const char *names)
{
    uint64_t single;
    struct err e;

    CHECK(scrub_rules_open(&t->rules, NULL, false, &e) == 0);
    if (names)
        CHECK(scrub_rules_names(&t->rules, put("names", names), &single, &e)
              == 0);
    CHECK(scrub_rules_build(&t->rules, &e) == 0);
    scrub_worker_init(&t->w, &t->rules);
}

static void
world_release(struct world *t)
{
    scrub_worker_release(&t->w);
    scrub_rules_release(&t->rules);
}

/* A record of the fields name, value, ...; what becomes of it, each value
 * before a '|'. The places are t->w's. */
static void
becomes(struct world *t, enum text_kind kind, const char *const *field,
        const char *want)
{
    struct buf raw, out, got;
    struct text_rec r;
    struct err e = { 0 };
    int rc;

    text_init(&r);
    buf_init(&raw);
    buf_init(&out);
    buf_init(&got);
    text_begin(&r, kind);
    for (; *field; field += 2)
        text_add_str(&r, field[0], field[1]);
    CHECK(text_encode(&raw, &r, &e) == 0);
    CHECK(scrub_decode(&t->w, raw.data, raw.len, &e) == 0);
    rc = scrub_record(&t->w, &out, &e);
    CHECK(rc >= 0);
    if (rc == 0)
        buf_add(&out, raw.data, raw.len);
    CHECK(text_decode(&r, out.data, out.len, &e) == 0);
    for (size_t i = 0; i < r.n; i++) {
        buf_add(&got, r.field[i].data, r.field[i].len);
        buf_addc(&got, '|');
        if (strcmp(r.field[i].name, "change") == 0)
            CHECK(change_decode(&t->w.change, r.field[i].data,
                                r.field[i].len, &e) == 0);
    }
    CHECK_STR(got.data, want);
    text_release(&r);
    buf_release(&raw);
    buf_release(&out);
    buf_release(&got);
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define TOKEN "ghp_q8ZrT2vXw5YbN7mKj4HsD9fGc3LpAeRu6WtB"
#define OTHER "ghp_A1sD2fG3hJ4kL5zX6cV7bN8mQ9wE0rT1yU2i"

TEST(placeholders_are_the_same_in_a_record)
{
    struct world t;

    world_init(&t, NULL);
    becomes(&t, TEXT_COMMIT,
            FIELDS("author", "author_1", "subject", "Use " OTHER, "body",
                   "Signed-off-by: A <a.b@acme.org>", "path", "a/" TOKEN,
                   "change", "3 3\n@@ -2,2 +2,2 @@ f " OTHER "\n"
                   " x " TOKEN "\n-y " TOKEN "\n+y " OTHER "\n"),
            "author_1|Use <KEY_1>|Signed-off-by: A <<EMAIL_1>>|a/<KEY_2>|"
            "3 3\n@@ -2,2 +2,2 @@ f <KEY_1>\n x <KEY_2>\n-y <KEY_2>\n"
            "+y <KEY_1>\n|");
    CHECK_EQ_U64(t.w.n_places, 7);
    CHECK(t.w.place[0].side == '@' && t.w.place[0].line == 0);
    CHECK(t.w.place[1].side == ' ' && t.w.place[1].line == 2);
    CHECK(t.w.place[2].side == '-' && t.w.place[2].line == 3);
    CHECK(t.w.place[3].side == '+' && t.w.place[3].line == 3);
    becomes(&t, TEXT_DOC, FIELDS("text", "no secret"), "no secret|");
    world_release(&t);
}

TEST(numbers_that_are_there_are_given_to_none)
{
    struct world t;

    world_init(&t, NULL);
    becomes(&t, TEXT_DOC,
            FIELDS("text", "<KEY_7> " TOKEN " <KEY_x> a@acme.org"),
            "<KEY_7> <KEY_8> <KEY_x> <EMAIL_1>|");
    becomes(&t, TEXT_DOC, FIELDS("text", "<KEY_8> ftp://u:<PASSWORD_1>@h/"),
            "<KEY_8> ftp://u:<PASSWORD_1>@h/|");
    world_release(&t);
}

TEST(ids_stay_and_json_stays_json)
{
    struct world t;

    world_init(&t, NULL);
    becomes(&t, TEXT_CHAT,
            FIELDS("role", "user", "content", "I am a@acme.org", "role",
                   "assistant", "content", "", "message_json",
                   "{\"name\":\"\\na@acme.org \\\"" TOKEN "\\\"\",\"n\":1}"),
            "user|I am <EMAIL_1>|assistant||"
            "{\"name\":\"\\n<EMAIL_1> \\\"<KEY_1>\\\"\",\"n\":1}|");
    becomes(&t, TEXT_FILE, FIELDS("repo", "a@acme.org", "commit", TOKEN,
                                  "path", "x", "text", "y"),
            "a@acme.org|" TOKEN "|x|y|");
    world_release(&t);
}

TEST(names_of_two_words_go_wherever_they_stand)
{
    struct world t;

    world_init(&t, "r\tauthor_1\tJ\\xc3\\xb6rg M\\xc3\\xbcller\tj@acme.org\n"
                   "Ada Lovelace\nantirez\n");
    becomes(&t, TEXT_DOC,
            FIELDS("text", "J\303\266rg M\303\274ller, ada lovelace; "
                   "Ada Lovelaces antirez Ada Lovelace"),
            "<NAME_1>, <NAME_2>; Ada Lovelaces antirez <NAME_3>|");
    world_release(&t);
}

/* ---- keys over many lines ---- */

#define B1 "MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9OiZ1BjP5CE/Wm/Rr500PRK+Lh9x"
#define B2 "5iVv5bVbqbGjVpDkJb7JHh0y4bC0X3Qd1sQ2r5u8N0b6m1kq9T7c4W3x5Y8zA2Ld"
#define B3 "q0Fh8s6K1uJ3v5bX7n9M2cR4tE6yW8iO0pL1aS3dF5gH7jK9lZ2xC4vB6nM8qW0e"
#define P "<PRIVATE_KEY_"
#define BEGIN "-----BEGIN RSA PRIVATE KEY-----\n"
#define END "-----END RSA PRIVATE KEY-----\n"

TEST(a_private_key_goes_line_by_line)
{
    struct world t;

    world_init(&t, NULL);
    becomes(&t, TEXT_DOC,
            FIELDS("text", "x\n" BEGIN B1 "\n" B2 "\nab==\n" END "else\n"),
            "x\n" BEGIN P "1>\n" P "2>\n" P "3>\n" END "else\n|");
    becomes(&t, TEXT_DOC,
            FIELDS("text", "  \"" "-----BEGIN PRIVATE KEY-----\\n\"\n"
                   "  \"" B1 "\\n\"\n  \"" B2 "\\n\"\n"),
            "  \"-----BEGIN PRIVATE KEY-----\\n\"\n"
            "  \"" P "1>\\n\"\n  \"" P "2>\\n\"\n|");
    becomes(&t, TEXT_DOC, FIELDS("text", "-----BEGIN CERTIFICATE-----\n" B1
                                 "\n" B2 "\n-----END CERTIFICATE-----\n"),
            "-----BEGIN CERTIFICATE-----\n" B1 "\n" B2
            "\n-----END CERTIFICATE-----\n|");
    becomes(&t, TEXT_DOC,
            FIELDS("text", "a(\"" BEGIN "else\n  b(\"" END), "a(\"" BEGIN
            "else\n  b(\"" END "|");
    world_release(&t);
}

TEST(a_key_that_a_hunk_cuts_goes_too)
{
    struct world t;

    world_init(&t, NULL);
    /* a line of it is another one: both sides */
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 9\n@@ -3,3 +3,3 @@\n " B1 "\n-" B2 "\n+" B3
                   "\n " B3 "\n"),
            "9 9\n@@ -3,3 +3,3 @@\n " P "1>\n-" P "2>\n+" P "3>\n " P
            "3>\n|");
    /* its end, its beginning */
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "4 -\n@@ -1,4 +0,0 @@\n-" BEGIN "-" B1 "\n-ab=\n-"
                   END),
            "4 -\n@@ -1,4 +0,0 @@\n-" BEGIN "-" P "1>\n-" P "2>\n-" END "|");
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,3 +4,2 @@\n " B1 "\n " END "-x\n"),
            "9 8\n@@ -4,3 +4,2 @@\n " P "1>\n " END "-x\n|");
    /* two lines are too few, and so is what ends otherwise */
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,2 +4,1 @@\n " B1 "\n-" B2 "\n"),
            "9 8\n@@ -4,2 +4,1 @@\n " B1 "\n-" B2 "\n|");
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,4 +4,3 @@\n " B1 "\n-" B2 "\n " B3
                   "\n \"\"\"\n"),
            "9 8\n@@ -4,4 +4,3 @@\n " B1 "\n-" B2 "\n " B3 "\n \"\"\"\n|");
    world_release(&t);
}

TEST(a_scope_that_was_cut_keeps_no_part_of_a_secret)
{
    struct world t;

    world_init(&t, NULL);
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,1 +3,0 @@ int a_name_that_is_long_"
                   "enough_for_it(const char *p, \"ghp_q8ZrT2vXw5YbN7mK4jH9Ds"
                   "\n-x\n"),
            "9 8\n@@ -4,1 +3,0 @@ int a_name_that_is_long_"
            "enough_for_it(const char *p, \"<KEY_1>\n-x\n|");
    /* a keyword with what no key begins with stays */
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,1 +3,0 @@ void test_object_commit_par"
                   "se__sha1_parsing_encoding_will_not_cause_oob_read(voi"
                   "\n-x\n"),
            "9 8\n@@ -4,1 +3,0 @@ void test_object_commit_parse__sha1_parsing"
            "_encoding_will_not_cause_oob_read(voi\n-x\n|");
    /* what grows is cut to what a header may have */
    becomes(&t, TEXT_COMMIT,
            FIELDS("change", "9 8\n@@ -4,1 +3,0 @@ int a_name_that_is_long_"
                   "enough_for_it_to_be(const char *p, u, \"a@bc.de\", iiiiiii"
                   "\n-x\n"),
            "9 8\n@@ -4,1 +3,0 @@ int a_name_that_is_long_"
            "enough_for_it_to_be(const char *p, u, \"<EMAIL_1>\", iiiii"
            "\n-x\n|");
    world_release(&t);
}

/* ---- rules ---- */

/* What a file of rules is refused with. */
static void
refused(const char *text, const char *want)
{
    char all[300];
    struct scrub_rules r;
    struct err e = { 0 };
    int rc = scrub_rules_open(&r, put("rules", text), true, &e);

    CHECK(rc == ERR_DATA);
    if (rc == 0)
        scrub_rules_release(&r);
    snprintf(all, sizeof(all), "%s/rules: %s", dir, want);
    CHECK_STR(e.text, all);
}

TEST(rules_that_are_none_are_refused)
{
    refused("[]", "not an object");
    refused("{\"rulse\": []}", "unknown key \"rulse\" (did you mean rules?)");
    refused("{\"built_in\": 1}", "built_in is neither true nor false");
    refused("{\"disable\": [\"jvt\"]}",
            "disable: no rule \"jvt\" (did you mean jwt?)");
    refused("{\"rules\": [1]}", "rules[0]: not an object");
    refused("{\"rules\": [{\"id\": \"a\"}]}", "rules[0] (a): type is missing");
    refused("{\"rules\": [{\"id\": \"A\", \"type\": \"KEY\", \"regex\": "
            "\"a\"}]}", "rules[0] (A): id \"A\" (expected at most 50 of a-z, "
            "0-9 and -)");
    refused("{\"rules\": [{\"id\": \"a\", \"type\": \"KEY\"}]}",
            "rules[0] (a): expected either regex or armour");
    refused("{\"rules\": [{\"id\": \"a\", \"type\": \"KEY\", \"regex\": "
            "\"(\"}]}", "rules[0] (a): regex at offset 1: missing closing "
            "parenthesis");
    refused("{\"rules\": [{\"id\": \"a\", \"type\": \"KEY\", \"regex\": "
            "\"(a)\", \"secret\": 2}]}",
            "rules[0] (a): secret is group 2, the regex has 1");
    refused("{\"rules\": [{\"id\": \"a\", \"type\": \"KEY\", \"regex\": "
            "\"a\", \"check\": \"male\"}]}",
            "rules[0] (a): unknown check \"male\" (did you mean mail?)");
    refused("{\"rules\": [{\"id\": \"a\", \"type\": \"KEY\", \"regex\": "
            "\"a\", \"entropy\": 9}]}",
            "rules[0] (a): entropy is no number from 0 to 8");
}

static const struct test tests[] = {
    RUN(keywords_are_found_where_they_end),
    RUN(keywords_know_neither_case_nor_digits),
    RUN(keywords_stop_where_they_are_told_to),
    RUN(every_byte_may_be_in_a_keyword),
    RUN(entropy_is_shannons),
    RUN(cards_have_a_sum_an_issuer_and_a_place),
    RUN(accounts_have_a_length_and_a_sum),
    RUN(addresses_are_of_nobody_or_of_somebody),
    RUN(mail_is_kept_where_nobody_reads_it),
    RUN(telephones_have_many_digits),
    RUN(placeholders_are_the_same_in_a_record),
    RUN(numbers_that_are_there_are_given_to_none),
    RUN(ids_stay_and_json_stays_json),
    RUN(names_of_two_words_go_wherever_they_stand),
    RUN(a_private_key_goes_line_by_line),
    RUN(a_key_that_a_hunk_cuts_goes_too),
    RUN(a_scope_that_was_cut_keeps_no_part_of_a_secret),
    RUN(rules_that_are_none_are_refused),
};

int
main(void)
{
    int failed;
    struct err e;

    if (mkdtemp(dir) == NULL)
        return 1;
    failed = test_run("scrub", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(dir, &e);
    return failed;
}
