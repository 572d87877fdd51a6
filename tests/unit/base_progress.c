/* base_progress.c - the text of a line of progress, with a clock of ours. */
#include "base/progress_line.h"

#include "test.h"

static struct progress_line line;

/* The line at ms, on a terminal that wide. */
static const char *
text(uint64_t ms, bool ended, size_t columns)
{
    static char out[256];
    size_t n = progress_line_format(&line, ms, ended, columns, out,
                                    sizeof(out));

    CHECK_EQ_U64(n, strlen(out));
    CHECK(n <= columns);
    return out;
}

static void
begin(const char *unit, uint64_t done, uint64_t total)
{
    line = (struct progress_line){
        .program = "p", .unit = unit, .done = done, .total = total
    };
    progress_line_begin(&line, 1000);
}

/* A second passes and n more are done. */
static void
second(uint64_t *ms, uint64_t n)
{
    *ms += 1000;
    line.done += n;
    progress_line_sample(&line, *ms);
}

TEST(an_unknown_total_shows_count_rate_and_time)
{
    begin("records", 0, 0);
    CHECK_STR(text(1000, false, 79), "p: 0 records, 0:00");
    line.done = 6420;
    CHECK_STR(text(3000, false, 79), "p: 6420 records, 3210/s, 0:02");
}

TEST(a_known_total_shows_a_bar_and_the_time_left)
{
    begin("commits", 0, 400);
    line.done = 100;
    CHECK_STR(text(11000, false, 79), "p: [=====               ]  25%  100 "
              "of 400 commits, 10/s, 0:30 left");
    CHECK_STR(text(11000, false, 60), "p: [==        ]  25%  100 of 400 "
              "commits, 10/s, 0:30 left");
    CHECK_STR(text(11000, false, 47),
              "p:  25%  100 of 400 commits, 10/s, 0:30 left");
    CHECK_STR(text(11000, false, 20), "p:  25%  100 of 400 ");
    line.done = 400;
    CHECK_STR(text(41000, true, 79), "p: [====================] 100%  400 "
              "of 400 commits, 10/s, 0:40");
}

TEST(what_came_out_stands_behind_the_time)
{
    begin("steps", 0, 10);
    line.done = 4;
    snprintf(line.note, sizeof(line.note), "loss 2.31, val 2.4");
    CHECK_STR(text(9000, false, 56), "p:  40%  4 of 10 steps, 2.0 s each, "
              "0:12 left, loss 2.31");
    CHECK_STR(text(9000, false, 65), "p:  40%  4 of 10 steps, 2.0 s each, "
              "0:12 left, loss 2.31, val 2.4");
}

TEST(the_part_of_an_input_tells_how_far_the_whole_is)
{
    begin("records", 0, 0);
    line.done = 30;
    line.at = 250;
    line.of = 1000;
    CHECK_STR(text(11000, false, 40),
              "p:  25%  30 records, 3.0/s, 0:30 left");
}

TEST(the_part_of_a_unit_counts_and_is_named)
{
    begin("steps", 0, 10);
    line.done = 4;
    line.at = 5;
    line.of = 10;
    line.doing = "evaluating";
    CHECK_STR(text(91000, false, 60), "p:  45%  4 of 10 steps, 20.0 s each, "
              "1:50 left, evaluating 5");
    CHECK_STR(text(91000, true, 47),
              "p:  45%  4 of 10 steps, 22.5 s each, 1:30");
}

TEST(what_was_done_before_counts_for_no_rate)
{
    begin("steps", 50, 100);
    line.done = 60;
    CHECK_STR(text(11000, false, 47),
              "p:  60%  60 of 100 steps, 1.0/s, 0:40 left");
    CHECK_STR(text(11000, true, 44),
              "p:  60%  60 of 100 steps, 1.0/s, 0:10");
}

TEST(bytes_are_shown_in_millions)
{
    begin("bytes", 0, 2500000000);
    line.done = 500000000;
    CHECK_STR(text(11000, false, 54), "p:  20%  500.0 of 2500.0 MB, 50.0 "
              "MB/s, 0:40 left");
}

TEST(the_rate_is_that_of_the_last_half_of_the_time)
{
    uint64_t ms = 1000;
    int i;

    begin("records", 0, 100000);
    for (i = 0; i < 60; i++)
        second(&ms, 1000);
    CHECK_STR(text(ms, false, 52),
              "p:  60%  60000 of 100000 records, 1000/s, 0:40 left");
    for (i = 0; i < 40; i++)
        second(&ms, 100);
    CHECK_STR(text(ms, false, 52),
              "p:  64%  64000 of 100000 records, 308/s, 1:57 left");
    CHECK_STR(text(ms, true, 52),
              "p:  64%  64000 of 100000 records, 640/s, 1:40");
    for (i = 0; i < 160; i++)
        second(&ms, 100);
    CHECK_STR(text(ms, false, 52),
              "p:  80%  80000 of 100000 records, 100/s, 3:20 left");
}

TEST(long_times_have_hours)
{
    begin("steps", 0, 1000);
    line.done = 10;
    CHECK_STR(text(1000 + 600000, false, 60),
              "p:   1%  10 of 1000 steps, 60.0 s each, 16:30:00 left");
}

static const struct test tests[] = {
    RUN(an_unknown_total_shows_count_rate_and_time),
    RUN(a_known_total_shows_a_bar_and_the_time_left),
    RUN(what_came_out_stands_behind_the_time),
    RUN(the_part_of_an_input_tells_how_far_the_whole_is),
    RUN(the_part_of_a_unit_counts_and_is_named),
    RUN(what_was_done_before_counts_for_no_rate),
    RUN(bytes_are_shown_in_millions),
    RUN(the_rate_is_that_of_the_last_half_of_the_time),
    RUN(long_times_have_hours),
};

TEST_MAIN("base_progress", tests)
