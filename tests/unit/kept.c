/* kept.c - what was kept is found again: by its id, by its sketch, among many,
 * and from a file, which is refused where it is damaged. */
#include "text/kept.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "test.h"
#include "text/overlap.h"

/* The look of record i of a thousand: 60 shingles of its own, of which its
 * variant number v has v others. */
static void
make(struct kept_look *look, const struct kept *k, uint64_t i, uint64_t v)
{
    struct minhash *m = mem_alloc(sizeof(*m));
    uint64_t name[] = { i, v };

    look->id = id_of(name, sizeof(name));
    look->near = true;
    minhash_begin(m);
    for (uint64_t s = 0; s < 60; s++)
        minhash_add(m, (i * 1000 + s + (s < v ? 500 : 0) + 1)
                       * 0x9e3779b97f4a7c15u);
    minhash_end(m, k->banding, &look->sketch);
    free(m);
}

static void
fill(struct kept *k, uint64_t from, uint64_t n)
{
    struct kept_look look;
    struct err e;

    for (uint64_t i = from; i < from + n; i++) {
        make(&look, k, i, 0);
        look.near = i % 10 != 9;
        CHECK(kept_add(k, &look, k->seen++, &e) == 0);
    }
}

/* All of the first n are found, and no other. */
static void
check_all(struct kept *k, uint64_t n)
{
    struct kept_look look;
    struct kept_match m;

    for (uint64_t i = 0; i < n; i++) {
        make(&look, k, i, 0);
        kept_find(k, &look, &m);
        CHECK(m.found == KEPT_EXACT && m.number == i);
        make(&look, k, i, 10); /* 50 of 70 */
        kept_find(k, &look, &m);
        CHECK(m.found == (i % 10 == 9 ? KEPT_NONE : KEPT_NEAR));
        CHECK(m.found == KEPT_NONE || m.number == i);
        CHECK(m.found == KEPT_NONE || m.similarity == 50.0 / 70);
        make(&look, k, i, 11); /* 49 of 71 */
        kept_find(k, &look, &m);
        CHECK(m.found == KEPT_NONE);
    }
    make(&look, k, n, 0);
    kept_find(k, &look, &m);
    CHECK(m.found == KEPT_NONE);
}

TEST(what_was_kept_is_found)
{
    struct kept k;
    struct err e;

    CHECK(kept_open(&k, 0.7, "/tmp", &e) == 0);
    fill(&k, 0, 1000); /* the tables grow meanwhile */
    check_all(&k, 1000);
    kept_release(&k);
}

/* The bytes of a file of k, into b. */
static void
write_to(struct buf *b, const struct kept *k)
{
    char dir[] = "/tmp/graft-kept-XXXXXX", *path;
    struct out out;
    struct err e;

    if (!CHECK(mkdtemp(dir)))
        return;
    path = path_join(dir, "index");
    CHECK(out_open(&out, path, &e) == 0);
    CHECK(kept_write(k, &out, &e) == 0);
    CHECK(out_commit(&out, &e) == 0);
    buf_reset(b);
    CHECK(file_read(b, path, 1 << 30, &e) == 0);
    CHECK(path_remove(dir, &e) == 0);
    free(path);
}

static int
parse(const struct buf *b, double threshold, struct err *e)
{
    struct kept k;
    int rc = kept_open(&k, threshold, "/tmp", e);

    if (rc == 0)
        rc = kept_parse(&k, (const uint8_t *)b->data, b->len, "x", e);
    kept_release(&k);
    return rc;
}

TEST(a_file_goes_on_where_it_ended)
{
    struct kept k, back, whole;
    struct buf b, same;
    struct err e;

    buf_init(&b);
    buf_init(&same);
    CHECK(kept_open(&k, 0.7, "/tmp", &e) == 0);
    fill(&k, 0, 300);
    write_to(&b, &k);
    CHECK(kept_open(&back, 0.7, "/tmp", &e) == 0);
    CHECK(kept_parse(&back, (const uint8_t *)b.data, b.len, "x", &e) == 0);
    CHECK_EQ_U64(back.seen, 300);
    fill(&back, 300, 100);
    check_all(&back, 400);
    CHECK(kept_open(&whole, 0.7, "/tmp", &e) == 0);
    fill(&whole, 0, 400);
    write_to(&b, &back);
    write_to(&same, &whole);
    CHECK(b.len == same.len && memcmp(b.data, same.data, b.len) == 0);
    kept_release(&k);
    kept_release(&back);
    kept_release(&whole);
    buf_release(&b);
    buf_release(&same);
}

TEST(files_that_are_no_such_index_are_refused)
{
    struct kept k;
    struct buf b;
    struct err e;
    size_t n;

    buf_init(&b);
    CHECK(kept_open(&k, 0.7, "/tmp", &e) == 0);
    fill(&k, 0, 20);
    write_to(&b, &k);
    kept_release(&k);
    CHECK(parse(&b, 0.7, &e) == 0);
    CHECK(parse(&b, 0.8, &e) == ERR_EXISTS);
    n = b.len;
    for (b.len = 0; b.len < n; b.len += 97)
        CHECK(parse(&b, 0.7, &e) == ERR_DATA);
    b.len = n;
    for (size_t i = 0; i < n; i += 61) {
        b.data[i] ^= 4;
        CHECK(parse(&b, 0.7, &e) == ERR_DATA);
        b.data[i] ^= 4;
    }
    memcpy(strstr(b.data, "index 2"), "index 1", 7);
    CHECK(parse(&b, 0.7, &e) == ERR_DATA);
    CHECK(strstr(e.text, "version 1") != NULL);
    buf_release(&b);
}

/* What the hash vouches for is looked at all the same: the entry's word at
 * that place is another, and the hash is right. */
static int
parse_changed(const struct buf *b, size_t at, uint32_t word, struct err *e)
{
    struct buf own;
    struct id id;
    int rc;

    buf_init(&own);
    buf_add(&own, b->data, b->len);
    store_u32(own.data + (strchr(own.data, '\n') + 1 - own.data) + at, word);
    id = id_of(own.data, own.len - ID_BYTES);
    memcpy(own.data + own.len - ID_BYTES, id.b, ID_BYTES);
    rc = parse(&own, 0.7, e);
    buf_release(&own);
    return rc;
}

TEST(entries_that_can_not_be_are_refused)
{
    struct kept k;
    struct buf b;
    struct err e;

    buf_init(&b);
    CHECK(kept_open(&k, 0.7, "/tmp", &e) == 0);
    fill(&k, 0, 3);
    write_to(&b, &k);
    kept_release(&k);
    CHECK(parse_changed(&b, 0, 5, &e) == 0); /* another id */
    CHECK(parse_changed(&b, 32, 3, &e) == ERR_DATA);
    CHECK(parse_changed(&b, 40, 0, &e) == ERR_DATA);
    CHECK(parse_changed(&b, 40, 60, &e) == ERR_DATA);
    CHECK(parse_changed(&b, 40, 0x80000000u | 257, &e) == ERR_DATA);
    CHECK(parse_changed(&b, 40, 0xffffffffu, &e) == ERR_DATA);
    CHECK(parse_changed(&b, 44 + 4 * 32, 0xffffffffu, &e) == ERR_DATA);
    buf_release(&b);
}

TEST(a_full_or_missing_disk_is_an_error)
{
    struct kept k;
    struct err e;

    CHECK(kept_open(&k, 0.7, "/nowhere", &e) == ERR_IO);
    CHECK(strstr(e.text, "/nowhere") != NULL);
}

static bool
overlaps(const struct overlap *o, const char *text, uint32_t line)
{
    struct overlap_at at = { 0, 0 };
    bool found = overlap_find(o, text, strlen(text), &at);

    CHECK_EQ_U64(at.line, found ? line : 0);
    return found;
}

static bool
add(struct overlap *o, const char *text, uint32_t line)
{
    return overlap_add(o, text, strlen(text), (struct overlap_at){ 0, line });
}

TEST(runs_of_a_benchmark_are_found)
{
    struct overlap o;

    overlap_init(&o);
    CHECK(add(&o, "a b c d e f g h i j k l m n", 1));
    CHECK(add(&o, "s t u v w x y z", 2));
    CHECK(add(&o, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 3));
    CHECK(!add(&o, "a b c d e f g", 4));
    CHECK(overlaps(&o, "x x b(c,d,e,f,g,h,i,j,k,l,m) n x x", 1));
    CHECK(!overlaps(&o, "a b c d e f g h i j k l M n", 1));
    CHECK(!overlaps(&o, "a b c d e f g h i j k l", 1));
    CHECK(overlaps(&o, "x s t u v w x y z x", 2));
    CHECK(!overlaps(&o, "x s t u v w x y", 2));
    CHECK(!overlaps(&o, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", 3));
    CHECK(!overlaps(&o, "", 0));
    overlap_release(&o);
}

static const struct test tests[] = {
    RUN(what_was_kept_is_found),
    RUN(a_file_goes_on_where_it_ended),
    RUN(files_that_are_no_such_index_are_refused),
    RUN(entries_that_can_not_be_are_refused),
    RUN(a_full_or_missing_disk_is_an_error),
    RUN(runs_of_a_benchmark_are_found),
};

TEST_MAIN("kept", tests)
