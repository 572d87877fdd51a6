/* stream_set.c - shard sets: by number, mapped, swapped, cut, flipped. */
#include "test.h"

#include "base/io.h"
#include "base/rng.h"
#include "stream/set.h"
#include "stream_made.h"

/* A set in made_dir/NAME of n files with i + 1 times step records each. */
static int
make_set(const char *name, made_fn *fn, int n, int step, struct err *e)
{
    char *dir = path_join(made_dir, name), *path, *to;
    struct manifest m = {0};
    struct stream_file f;
    int rc = dir_make(dir, e);

    for (int i = 0; rc == 0 && i < n; i++) {
        path = path_join(dir, "part");
        rc = made_file(path, fn, (i + 1) * step, 1, e);
        if (rc == 0)
            rc = stream_file_open(&f, path, NULL, e);
        if (rc == 0) {
            if (i == 0) {
                manifest_init(&m, f.head.type);
                stream_head_copy(&m.head, &f.head);
            }
            to = path_join(dir, manifest_add_file(&m, &f.trailer,
                                                  f.map.n)->name);
            CHECK(rename(path, to) == 0);
            free(to);
            stream_file_release(&f);
        }
        free(path);
    }
    manifest_finish(&m);
    if (rc == 0 && m.records > 4) {
        manifest_add_range(&m, "train", 0, 1, 10);
        manifest_add_range(&m, "train", 2, m.records - 2, 5);
        manifest_add_range(&m, "val", 1, 2, 3);
        manifest_add_range(&m, "test", m.records - 2, m.records, 2);
    }
    ledger_add(&m.ledger, "shard", "too-long", 4);
    if (rc == 0)
        rc = manifest_write(&m, dir, e);
    manifest_release(&m);
    free(dir);
    return rc;
}

/* The ordinal of token record i. */
static uint64_t
ordinal_at(struct set *s, uint64_t i)
{
    struct tokens t = {0};
    const void *p;
    struct err e;
    size_t n;

    if (CHECK(set_record(s, i, &p, &n, &e) == 0))
        CHECK(tokens_decode(&t, p, n, 0, &e) == 0);
    return t.origin.ordinal;
}

TEST(records_by_number_in_any_order)
{
    struct manifest m;
    struct rng r;
    struct set s;
    struct err e;
    const void *p;
    uint64_t good;
    size_t n;

    CHECK(make_set("tokens", made_tokens, 3, 9000, &e) == 0);
    CHECK(set_is(made_path("tokens")) && !set_is(made_dir));
    if (!CHECK(set_open(&s, made_path("tokens"), "tokens", &e) == 0)) {
        printf("%s\n", e.text);
        return;
    }
    CHECK_EQ_U64(s.manifest.records, 54000);
    CHECK(s.file[2].trailer.n_frames > 2);
    for (uint64_t i = 0; i < 54000; i += 7)
        CHECK_EQ_U64(ordinal_at(&s, i),
                     i - (i >= 9000 ? 9000 : 0) - (i >= 27000 ? 18000 : 0));
    rng_init(&r, 5, 6);
    for (int k = 0; k < 3000; k++) {
        uint64_t i = rng_below(&r, 9000);

        CHECK_EQ_U64(ordinal_at(&s, i), i);
        CHECK_EQ_U64(ordinal_at(&s, 27000 + i), i);
    }
    CHECK(set_record(&s, 54000, &p, &n, &e) == ERR_DATA);
    CHECK_EQ_U64(manifest_split(&s.manifest, "train")->records, 53997);
    CHECK_EQ_U64(manifest_split(&s.manifest, "train")->tokens, 15);
    CHECK(!manifest_split(&s.manifest, "other"));
    set_release(&s);
    CHECK(set_manifest(&m, made_path("tokens"), NULL, &e) == 0);
    CHECK(set_verify(&m, made_path("tokens"), NULL, NULL, &good, &e) == 0);
    CHECK_EQ_U64(good, 54000);
    CHECK_EQ_U64(ledger_get(&m.ledger, "shard", "too-long"), 4);
    manifest_release(&m);
    CHECK(set_open(&s, made_path("tokens"), "text", &e) == ERR_DATA);
    CHECK(set_open(&s, made_path("none"), NULL, &e) == ERR_IO);
    CHECK(set_open(&s, made_dir, NULL, &e) == ERR_DATA);
}

TEST(tensors_are_mapped_and_aligned)
{
    struct tensor_desc d;
    struct asset a;
    const void *p;
    struct err e;
    struct set s;
    size_t n;

    CHECK(make_set("weights", made_weights, 2, 2, &e) == 0);
    if (!CHECK(set_open(&s, made_path("weights"), "weights", &e) == 0))
        return;
    CHECK_EQ_U64(s.n_tensors, 6);
    CHECK_EQ_U64(s.manifest.records, 2);
    CHECK(set_record(&s, 1, &p, &n, &e) == 0);
    CHECK(asset_decode(&a, p, n, &e) == 0);
    CHECK_STR(a.name, "config.json");
    for (size_t i = 0; i < s.n_tensors; i++) {
        const struct set_tensor *t = &s.tensor[i];

        CHECK(tensor_decode(&d, t->desc, t->n_desc, t->n_data, &e) == 0);
        CHECK((uintptr_t)t->data % 64 == 0);
        CHECK(memcmp(t->data, "0123456789abcdefghijklmnopq", t->n_data) == 0);
    }
    CHECK(set_check_data(&s, &e) == 0);
    set_release(&s);
}

/* Opening, and then reading everything, must fail; verify must, too. */
static void
refused(const char *what, const char *want)
{
    struct manifest m;
    struct set s;
    struct err e;
    uint64_t good;
    const void *p;
    size_t n;
    int rc;

    rc = set_open(&s, made_path("small"), NULL, &e);
    if (rc == 0) {
        for (uint64_t i = 0; rc == 0 && i < s.manifest.records; i++)
            rc = set_record(&s, i, &p, &n, &e);
        set_release(&s);
    } else if (!CHECK(rc == ERR_DATA || rc == ERR_IO)
               || !CHECK(!want || strstr(e.text, want))) {
        printf("%s: %s\n", what, e.text);
    }
    rc = set_manifest(&m, made_path("small"), NULL, &e);
    if (rc == 0) {
        rc = set_verify(&m, made_path("small"), NULL, NULL, &good, &e);
        manifest_release(&m);
    }
    if (!CHECK(rc < 0))
        printf("%s\n", what);
}

static char *
part(const char *dir, size_t i)
{
    struct manifest m;
    char *path = path_join(dir, MANIFEST_NAME), *name = NULL;
    struct err e;

    if (CHECK(manifest_read(&m, path, &e) == 0)) {
        name = path_join(dir, m.file[i].name);
        manifest_release(&m);
    }
    free(path);
    return name;
}

TEST(files_swapped_missing_or_of_another_set)
{
    char *tmp = path_join(made_dir, "moved");
    struct err e;
    char *one, *two, *other;

    CHECK(make_set("small", made_tokens, 2, 40, &e) == 0);
    CHECK(make_set("other", made_tokens, 2, 41, &e) == 0);
    one = part(made_path("small"), 0);
    two = part(made_path("small"), 1);
    other = part(made_path("other"), 0);
    CHECK(rename(one, tmp) == 0);
    refused("missing", one);
    CHECK(rename(two, one) == 0);
    CHECK(rename(tmp, two) == 0);
    refused("swapped", "is not the file in the manifest (found content");
    CHECK(rename(two, tmp) == 0);
    CHECK(rename(one, two) == 0);
    CHECK(link(other, one) == 0);
    refused("another", "is not the file in the manifest (found content");
    CHECK(rename(tmp, one) == 0);
    free(tmp);
    free(one);
    free(two);
    free(other);
}

TEST(a_set_flipped_or_cut_anywhere)
{
    const char *names[2];
    struct buf b;
    struct err e;
    char *one, *list;

    CHECK(make_set("small", made_tokens, 1, 3, &e) == 0);
    list = path_join(made_path("small"), MANIFEST_NAME);
    one = part(made_path("small"), 0);
    names[0] = list;
    names[1] = one;
    buf_init(&b);
    for (int k = 0; k < 2; k++) {
        CHECK(file_read(&b, names[k], 1 << 20, &e) == 0);
        for (size_t at = 0; at < b.len; at++) {
            b.data[at] = (char)(b.data[at] ^ (1 << at % 8));
            CHECK(file_write(names[k], b.data, b.len, &e) == 0);
            refused("flipped", NULL);
            b.data[at] = (char)(b.data[at] ^ (1 << at % 8));
            CHECK(file_write(names[k], b.data, at, &e) == 0);
            refused("cut", NULL);
        }
        CHECK(file_write(names[k], b.data, b.len, &e) == 0);
        buf_reset(&b);
    }
    buf_release(&b);
    free(one);
    free(list);
}

/* The manifest is written, and refused when it is read. */
static void
manifest_refused(struct manifest *m, const char *want)
{
    const char *dir = made_path("none-such");
    char *path = path_join(dir, MANIFEST_NAME);
    struct manifest got;
    struct err e;

    CHECK(dir_make(dir, &e) == 0);
    CHECK(manifest_write(m, dir, &e) == 0);
    CHECK(manifest_read(&got, path, &e) == ERR_DATA);
    if (!CHECK(strstr(e.text, want)))
        printf("%s\n", e.text);
    manifest_release(m);
    free(path);
}

TEST(an_empty_set_with_no_header_of_a_stream)
{
    struct manifest m;

    manifest_init(&m, "Text");
    manifest_refused(&m, "bad type 'Text'");
    manifest_init(&m, "text");
    stream_head_set(&m.head, "a key", "b");
    manifest_refused(&m, "key a key can't be");
    manifest_init(&m, "text");
    stream_head_set(&m.head, "a", "b\nprov c");
    manifest_refused(&m, "key a can't be 'b\\nprov c'");
    manifest_init(&m, "text");
    stream_head_prov(&m.head, "");
    manifest_refused(&m, "provenance");
}

TEST(more_records_than_can_be_counted)
{
    struct stream_trailer t;
    struct manifest m;

    stream_trailer_init(&t);
    manifest_init(&m, "text");
    t.records = 1ull << 63;
    manifest_add_file(&m, &t, 64);
    t.records += 5;
    manifest_add_file(&m, &t, 64);
    manifest_refused(&m, "file 1: over 2^64 - 1 records");
    stream_trailer_release(&t);
}

static const struct test tests[] = {
    RUN(records_by_number_in_any_order), RUN(tensors_are_mapped_and_aligned),
    RUN(files_swapped_missing_or_of_another_set),
    RUN(a_set_flipped_or_cut_anywhere),
    RUN(an_empty_set_with_no_header_of_a_stream),
    RUN(more_records_than_can_be_counted)
};

int
main(void)
{
    struct err e;
    int rc;

    if (!mkdtemp(made_dir))
        return 1;
    rc = test_run("stream_set", tests, sizeof(tests) / sizeof(tests[0]));
    path_remove(made_dir, &e);
    return rc;
}
