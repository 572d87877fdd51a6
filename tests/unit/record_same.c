/* record_same.c - what of records is hashed together is what each has alone. */
#include "record/same.h"

#include "test.h"

#define RECORDS 40

/* A record of that kind with a text of n bytes; n 1: without. */
static void
make(struct buf *b, enum text_kind kind, size_t n)
{
    struct text_rec r;
    struct err e;
    struct buf text;

    buf_init(&text);
    for (size_t i = 0; i < n; i++)
        buf_addc(&text, 'a' + (int)(i * i % 23));
    text_init(&r);
    text_begin(&r, kind);
    if (n != 1)
        text_add(&r, "text", text.data ? text.data : "", n);
    if (n % 2)
        text_add_str(&r, "commit", "c0ffee");
    CHECK(text_encode(b, &r, &e) == 0);
    text_release(&r);
    buf_release(&text);
}

/* Against the record decoded alone. */
static void
check(const struct same_record *rec, bool known)
{
    struct id id = text_id(rec->p, rec->n);
    struct text_rec r;
    struct same want;
    struct err e;

    text_init(&r);
    CHECK(text_decode(&r, rec->p, rec->n, &e) == 0);
    want = same_of(&r, NULL);
    CHECK(id_equal(&rec->id, &id));
    CHECK(rec->known == known);
    if (known)
        CHECK(rec->same.edit == want.edit && rec->same.content == want.content
              && rec->same.commit == want.commit);
    text_release(&r);
}

TEST(records_together_are_hashed_as_each_alone)
{
    static const enum text_kind kind[] = {
        TEXT_FILE, TEXT_DOC, TEXT_FILE, TEXT_COMMIT
    };
    struct same_record rec[SAME_MOST];
    struct buf b[SAME_MOST];

    for (size_t k = 0; k < RECORDS; k++) {
        size_t n = k % (SAME_MOST + 1);

        for (size_t i = 0; i < n; i++) {
            buf_init(&b[i]);
            make(&b[i], kind[(i + k) % 4], i * k * (k % 3 ? 31 : 1));
            rec[i] = (struct same_record){ .p = b[i].data, .n = b[i].len };
        }
        same_of_each(rec, n);
        for (size_t i = 0; i < n; i++) {
            check(&rec[i], kind[(i + k) % 4] != TEXT_COMMIT);
            buf_release(&b[i]);
        }
    }
}

TEST(a_record_that_cannot_be_read_has_an_id_all_the_same)
{
    struct same_record rec = { .p = "\xff\xff", .n = 2, .known = true };
    struct id id = text_id("\xff\xff", 2);

    same_of_each(&rec, 1);
    CHECK(!rec.known && id_equal(&rec.id, &id));
}

static const struct test tests[] = {
    RUN(records_together_are_hashed_as_each_alone),
    RUN(a_record_that_cannot_be_read_has_an_id_all_the_same),
};

TEST_MAIN("record_same", tests)
