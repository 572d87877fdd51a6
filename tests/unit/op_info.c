/* op_info.c - the table of op kinds is whole: a kind that lacks a row, a
 * function of a back end or an operand that it uses is counted here. That
 * every gradient is tried is counted by ops_grad, that every fast function
 * is compared by cpu_ops. */
#include "model/op_info.h"

#include "test.h"

TEST(every_kind_has_a_row_with_a_name_of_its_own)
{
    for (unsigned k = 0; k < OP_KINDS; k++) {
        const struct op_info *info = op_info(k);

        if (!CHECK(info->name != NULL)) {
            printf("  kind %u\n", k);
            continue;
        }
        CHECK(info->n_x <= OP_MAX_X && info->n_y <= OP_MAX_Y);
        CHECK(info->adds >> info->n_y == 0);
        for (unsigned j = 0; j < k; j++)
            CHECK(strcmp(op_info(j)->name, info->name) != 0);
    }
}

static void
check_kinds(const struct backend *b)
{
    for (unsigned k = OP_NONE + 1; k < OP_KINDS; k++)
        if (!CHECK(b->kinds >> k & 1))
            printf("  %s has no function for %s\n", b->name,
                   op_info(k)->name);
    CHECK(!(b->kinds & 1 << OP_NONE));
}

TEST(every_back_end_runs_every_kind)
{
    struct backend b;
    struct err e;

    ref_open(&b);
    check_kinds(&b);
    ref64_open(&b);
    check_kinds(&b);
    if (!CHECK(cpu_open(&b, NULL, "f32", &e) == 0))
        return;
    check_kinds(&b);
    cpu_close(&b);
}

/* Buffers that op_walk has called upon, by use. */
struct seen {
    uint32_t used[3];
};

static void
note(void *ctx, const struct view *v, enum view_use use)
{
    struct seen *s = ctx;

    s->used[use] |= 1u << v->buf;
}

TEST(a_walk_meets_every_view_with_its_use)
{
    struct part part = { .w.buf = 1, .bias.buf = 2, .a.buf = 3, .b.buf = 4,
                         .h.buf = 5, .grad_a.buf = 6, .grad_b.buf = 7 };
    struct op op = { .kind = OP_LINEAR, .x = { { 8 }, { 9 } },
                     .y = { { 10 } }, .scratch.buf = 11,
                     .u.lin = { &part, 1 } };
    struct seen s = { { 0 } };

    op_walk(&op, note, &s);
    CHECK_EQ_U64(s.used[VIEW_READ], 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4
                                    | 1 << 8 | 1 << 9);
    CHECK_EQ_U64(s.used[VIEW_WRITTEN], 1 << 5 | 1 << 10 | 1 << 11);
    CHECK_EQ_U64(s.used[VIEW_ADDED], 0);
    op.kind = OP_LINEAR_BWD;
    op.acc = 1;
    memset(&s, 0, sizeof(s));
    op_walk(&op, note, &s);
    CHECK_EQ_U64(s.used[VIEW_WRITTEN], 1 << 11);
    CHECK_EQ_U64(s.used[VIEW_ADDED], 1 << 6 | 1 << 7 | 1 << 10);
    CHECK(s.used[VIEW_READ] & 1 << 5);
}

static void
note_low(void *ctx, const struct view *v, enum view_use use)
{
    (void)use;
    *(bool *)ctx |= v->buf < 20;
}

/* Of every kind, the modules in a copy. */
TEST(a_renamed_op_names_no_old_buffer)
{
    struct part part = { .w = { 1, .side = 12 }, .bias.buf = 2, .a.buf = 3,
                         .b.buf = 4, .h.buf = 5, .grad_a.buf = 6,
                         .grad_b.buf = 7, .grad_w.buf = 13,
                         .grad_bias.buf = 14 };
    uint32_t to[40] = { 0 };

    for (uint32_t i = 1; i < 20; i++)
        to[i] = i + 20;
    for (unsigned kind = OP_NONE + 1; kind < OP_KINDS; kind++) {
        struct op op = { .kind = (uint16_t)kind, .x = { { 8 }, { 9 } },
                         .y = { { 10 } }, .scratch.buf = 11 };
        struct part copy = { .w.buf = 0 };
        bool low = false;
        uint32_t n;

        if (op_info(kind)->parts == PARTS_HEAD)
            op.u.head.part = &part;
        else if (op_info(kind)->parts != PARTS_NONE) {
            op.u.lin.part = &part;
            op.u.lin.n = 1;
        }
        op_rename(&op, &copy, to);
        op_walk(&op, note_low, &low);
        CHECK(!low);
        CHECK_EQ_U64(op.x[0].buf, 28);
        CHECK(op_parts(&op, &n) == (n > 0 ? &copy : NULL));
    }
    CHECK_EQ_U64(part.w.buf, 1);
}

static const struct test tests[] = {
    RUN(every_kind_has_a_row_with_a_name_of_its_own),
    RUN(every_back_end_runs_every_kind),
    RUN(a_walk_meets_every_view_with_its_use),
    RUN(a_renamed_op_names_no_old_buffer),
};

TEST_MAIN("op_info", tests)
