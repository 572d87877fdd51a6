/* bases_page.c - the tables of graft-bases(7): a row for each family and each
 * stored format, no other, and what a row says of a format is so.
 *
 * What it says of families is held against the programs themselves, by
 * tests/cli/families.bats. Run from the top of the source tree.
 */
#include <math.h>

#include "base/buf.h"
#include "base/io.h"
#include "model/family.h"
#include "tensor/stored.h"
#include "stored_fill.h"
#include "test.h"
#include "tiny_model.h"

#define PAGE "man/man7/graft-bases.7"

/* The rows of a list of the page: names, and their cells, "yes" or "no". */
struct row {
    char name[32], cell[4][8];
};

enum { MAX_ROWS = 64, ROWS = 8 };

struct table {
    struct row row[MAX_ROWS];
    size_t n;
};

/* A line of the page, ".It Cm NAME Ta yes Ta no ..." */
static void
read_row(struct table *t, const char *line)
{
    struct row *r = &t->row[t->n];

    if (t->n < MAX_ROWS
        && sscanf(line, ".It Cm %31s Ta %7s Ta %7s Ta %7s Ta %7s", r->name,
                  r->cell[0], r->cell[1], r->cell[2], r->cell[3]) == 5)
        t->n++;
}

/* The rows below the section of that title, up to the next. */
static void
read_table(struct table *t, const char *title)
{
    struct buf page;
    struct err e;
    char *at, *end;

    t->n = 0;
    buf_init(&page);
    if (!CHECK(file_read(&page, PAGE, 1 << 20, &e) == 0)) {
        printf("%s\n", e.text);
        exit(1);
    }
    at = strstr(page.data, title);
    CHECK(at != NULL);
    for (at = at ? strchr(at, '\n') : NULL; at != NULL; at = end) {
        end = strchr(++at, '\n');
        if (strncmp(at, ".S", 2) == 0)
            break;
        read_row(t, at);
    }
    buf_release(&page);
}

static const struct row *
find_row(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->row[i].name, name) == 0)
            return &t->row[i];
    printf("  " PAGE " has no row of %s\n", name);
    return NULL;
}

TEST(every_family_has_a_row_and_no_other)
{
    struct table t;
    size_t n = 0;

    read_table(&t, ".Ss Families");
    for (; family_at(n) != NULL; n++)
        CHECK(find_row(&t, family_at(n)->model_type) != NULL);
    CHECK_EQ_U64(t.n, n);
}

/* The base in that format: the layers' matrices, or, of floats, all. */
static struct frozen
encode(const struct tiny_model *m, const struct stored *s)
{
    struct frozen f = m->base;

    f.tensor = mem_array(m->desc.n_tensors, sizeof(*f.tensor));
    for (size_t i = 0; i < m->desc.n_tensors; i++) {
        const struct model_tensor *own = &m->desc.tensor[i];
        const float *x = m->base.tensor[i].data;

        if (own->flags & TENSOR_LINEAR || dtype_is_float(s->dtype))
            stored_matrix(&f.tensor[i], s, x, own->rows, own->cols);
        else
            stored_matrix(&f.tensor[i], stored_of(DTYPE_F32), x, own->rows,
                          own->cols);
        f.tensor[i].name = own->name;
    }
    return f;
}

static void
free_base(struct frozen *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((void *)f->tensor[i].data);
        free((void *)f->tensor[i].side);
    }
    free(f->tensor);
}

/* Runs all of a program; whether what came out is a number. */
static bool
run(struct exec *x)
{
    const struct prog *p = x->prog;
    int32_t ids[ROWS] = { 3, 1, 4, 1, 5, 9, 2, 6 }, zero[ROWS] = { 0 };
    int32_t at[ROWS] = { 0, 1, 2, 3, 4, 5, 6, 7 }, n = ROWS;
    float weight[ROWS] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const struct batch batch = { .ids = ids, .target = ids, .pos = at,
                                 .doc_first = zero, .head_row = at,
                                 .weight = weight, .n = ROWS,
                                 .cache_at = zero, .seq_n = &n };
    double *logits = mem_array((size_t)ROWS * p->desc->vocab,
                               sizeof(*logits));
    struct results out = { .loss_sum = 0 };
    struct err e;
    bool ok = true;

    x->in = (struct inputs){ .seed = 1, .lr = 0.01, .inv_tokens = 1.0 / ROWS,
                             .n_head = ROWS };
    CHECK(exec_batch(x, &batch, &e) == 0);
    for (int r = RANGE_START; r < RANGE_COUNT; r++)
        if (!CHECK(exec_range(x, r, &e) == 0))
            printf("  %s\n", e.text);
    if (p->opts.mode == PROG_DECODE)
        CHECK(exec_get(x, &p->logits, logits, &e) == 0);
    else
        CHECK(exec_results(x, &out, &e) == 0);
    for (size_t i = 0; i < (size_t)ROWS * p->desc->vocab; i++)
        ok = ok && isfinite(logits[i]);
    free(logits);
    return ok && isfinite(out.loss_sum);
}

/* Whether a program of that mode and method can be made of the base, and
 * runs. */
static bool
works(const struct model_desc *d, const struct frozen *base,
      const struct backend *b, enum prog_mode mode, enum method method)
{
    const struct prog_opts o = {
        .mode = (uint8_t)mode, .method = (uint8_t)method, .batch = 1,
        .seq_len = ROWS, .cache_len = ROWS, .rank = 2, .alpha = 4,
        .head_chunk = mode == PROG_DECODE ? 0 : ROWS,
        .optimizer = OPT_SGD, .clip = 1
    };
    struct prog p;
    struct exec x;
    struct err e;
    bool ok;

    if (prog_build(&p, d, &o, base, b, &e) < 0)
        return false;
    ok = CHECK(exec_open(&x, &p, b, NULL, &e) == 0);
    if (ok && method == METHOD_FULL)
        CHECK(exec_load_base(&x, base, &e) == 0);
    if (ok && method == METHOD_LORA)
        CHECK(exec_init_lora(&x, 1, &e) == 0);
    ok = ok && run(&x);
    exec_release(&x);
    prog_release(&p);
    return ok;
}

static void
check_format(const struct model_desc *d, const struct frozen *base,
             const struct backend *b, const struct row *r)
{
    static const struct { uint8_t mode, method; } cell[] = {
        { PROG_TRAIN, METHOD_FULL }, { PROG_TRAIN, METHOD_LORA },
        { PROG_EVAL, METHOD_NONE }, { PROG_DECODE, METHOD_NONE },
    };

    for (size_t i = 0; i < sizeof(cell) / sizeof(cell[0]); i++) {
        const char *want = works(d, base, b, cell[i].mode, cell[i].method)
                           ? "yes" : "no";

        if (!CHECK(strcmp(r->cell[i], want) == 0))
            printf("  %s, column %zu: is %s\n", r->name, i + 1, want);
    }
}

/* Rows of a whole block in every format. */
static const char config[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 31, \"hidden_size\": 256,"
    " \"intermediate_size\": 256, \"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 4}";

TEST(every_stored_format_has_a_row_that_is_so)
{
    struct tiny_model m;
    struct table t;
    struct backend b;
    struct err e;
    size_t n = 0;

    read_table(&t, ".Ss Stored formats");
    tiny_open(&m, config);
    if (!CHECK(cpu_open(&b, NULL, "f32", &e) == 0))
        return;
    for (; stored_at(n) != NULL; n++) {
        const struct row *r = find_row(&t, stored_at(n)->name);
        struct frozen base = encode(&m, stored_at(n));

        if (CHECK(r != NULL))
            check_format(&m.desc, &base, &b, r);
        free_base(&base, m.desc.n_tensors);
    }
    CHECK_EQ_U64(t.n, n);
    cpu_close(&b);
    tiny_close(&m);
}

static const struct test tests[] = {
    RUN(every_family_has_a_row_and_no_other),
    RUN(every_stored_format_has_a_row_that_is_so),
};

TEST_MAIN("bases_page", tests)
