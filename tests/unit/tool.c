/* tool.c - options from a command line and a run file, and what is said of
 * them. */
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "test.h"
#include "tool/internal.h"

struct options {
    const char *out, *config, *device;
    bool flag;
    uint64_t steps, memory, seed;
    double lr;
    int format;
    struct opt_list targets, path;
    struct opt_every save;
    struct opt_share rise;
};

static const struct opt table[] = {
    { .name = "output", .letter = 'o', .type = OPT_STRING, AT(out),
      .arg = "FILE", .help = "where to" },
    { .name = "config", .type = OPT_CONFIG, AT(config), .arg = "FILE",
      .help = "a run file" },
    { .name = "flag", .letter = 'f', .type = OPT_FLAG, .output = true,
      AT(flag), .help = "a flag" },
    { .name = "steps", .letter = 'n', .type = OPT_U64, .output = true,
      AT(steps), .arg = "N", .def = "10", .min = 1, .max = 1e6,
      .help = "how many" },
    { .name = "memory", .type = OPT_SIZE, AT(memory), .arg = "BYTES",
      .def = "64M", .max = OPT_MAX_EXACT, .help = "at most" },
    { .name = "seed", .type = OPT_U64, AT(seed), .arg = "N", .def = "0",
      .help = "of random numbers" },
    { .name = "lr", .type = OPT_DOUBLE, .output = true, AT(lr), .arg = "X",
      .def = "1e-4", .max = 1, .help = "rate" },
    { .name = "format", .type = OPT_CHOICE, .output = true, AT(format),
      .arg = "NAME", .def = "bf16", .choices = "f32|bf16|int8",
      .help = "of numbers" },
    { .name = "device", .type = OPT_NAME, .output = true, AT(device),
      .arg = "NAME", .def = "auto", .choices = "auto|cpu",
      .help = "where to" },
    { .name = "targets", .type = OPT_LIST, .output = true, AT(targets),
      .arg = "LIST", .def = "q,k", .help = "of layers" },
    { .name = "path", .type = OPT_WORDS, .output = true, AT(path),
      .arg = "GLOB", .help = "of files" },
    { .name = "save", .type = OPT_EVERY, AT(save), .arg = "N|TIME",
      .def = "5m", .max = 1e6, .help = "how often" },
    { .name = "rise", .type = OPT_SHARE, AT(rise), .arg = "N|SHARE",
      .def = "3%", .max = 1e6, .help = "how long" },
    { .name = NULL },
};

static const struct tool trial = {
    .name = "try", .summary = "try", .operands = "[FILE]",
    .max_operands = 1, .opts = table,
};

static const struct opt needy_table[] = {
    { .name = "data", .type = OPT_STRING, AT(out), .arg = "DIR",
      .required = true, .help = "of what" },
    { .name = "steps", .type = OPT_U64, AT(steps), .arg = "N",
      .required = true, .unless = "flag", .help = "how many" },
    { .name = "flag", .type = OPT_FLAG, AT(flag), .help = "a flag" },
    { .name = "config", .type = OPT_CONFIG, AT(config), .arg = "FILE",
      .help = "a run file" },
    { .name = NULL },
};

static const struct tool needy = {
    .name = "needy", .summary = "try", .operands = "", .opts = needy_table,
};

static const struct tool front = {
    .name = "front", .summary = "try", .operands = "[ARG]...",
    .max_operands = (size_t)-1, .opts = table, .options_first = true,
};

#define MAX_WORDS 8

/* Parses line[], ended by NULL, as tool_start does. */
static int
parse_with(const struct tool *t, struct options *o, struct args *args,
           const char *const *line, struct err *e)
{
    char *argv[MAX_WORDS + 1] = { mem_strdup(t->name) };
    int argc = 1;

    while (argc < MAX_WORDS && *line != NULL)
        argv[argc++] = mem_strdup(*line++);
    memset(args, 0, sizeof(*args));
    args->tool = t;
    args->called = t->name;
    args->operand = mem_array(MAX_WORDS + 1, sizeof(*args->operand));
    args->given = mem_array(opt_count(t) + 1, sizeof(*args->given));
    e->text[0] = '\0';
    for (const struct opt *x = t->opts; x->name != NULL; x++) {
        value_init(x, o);
        if (x->def != NULL)
            CHECK(value_parse(x, o, x->def, e) == 0);
    }
    return parse_line(t, o, args, argc, argv, e);
}

#define LINE(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int
parse(struct options *o, struct args *args, const char *const *line,
      struct err *e)
{
    return parse_with(&trial, o, args, line, e);
}

/* The line is refused with exactly that text. */
static void
refused(const char *const *line, const char *text)
{
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse(&o, &args, line, &e) == ERR_USAGE);
    CHECK_STR(e.text, text);
}

TEST(defaults_stand_where_nothing_is_said)
{
    struct options o;
    struct args args;
    struct err e;

    memset(&o, 0xff, sizeof(o));
    CHECK(parse(&o, &args, LINE(NULL), &e) == 0);
    CHECK(o.out == NULL && !o.flag && o.path.n == 0);
    CHECK_EQ_U64(o.steps, 10);
    CHECK_EQ_U64(o.memory, 64 << 20);
    CHECK(o.lr == 1e-4 && o.format == 1);
    CHECK_STR(o.device, "auto");
    CHECK_EQ_U64(o.targets.n, 2);
    CHECK(!tool_given(&args, "steps"));
}

TEST(every_spelling_of_an_option)
{
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse(&o, &args, LINE("-fn3", "-oX", "in", "--format", "int8",
                                "--device=cpu", "--lr=.5"), &e) == 0);
    CHECK(o.flag && o.steps == 3 && o.format == 2 && o.lr == .5);
    CHECK_STR(o.out, "X");
    CHECK_STR(o.device, "cpu");
    CHECK_EQ_U64(args.n, 1);
    CHECK_STR(args.operand[0], "in");
    CHECK(tool_given(&args, "steps") && !tool_given(&args, "memory"));
    CHECK(parse(&o, &args, LINE("-o", "-", "--", "--flag"), &e) == 0);
    CHECK_STR(o.out, "-");
    CHECK_STR(args.operand[0], "--flag");
    CHECK(parse(&o, &args, LINE("-"), &e) == 0);
    CHECK_STR(args.operand[0], "-");
    CHECK(parse(&o, &args, LINE("-f", "--flag=false"), &e) == 0);
    CHECK(!o.flag);
}

TEST(how_often_is_a_count_or_a_time)
{
    static const char *const good[] = { "0", "7", "90s", "5m", "2h" };
    static const char *const bad[] = {
        "", "m", "5 m", "5M", "1.5h", "-1m", "5mm", "5m0", "1000001",
        "278h", "99999999999999999999999", "18446744073709551615h",
    };
    const char *near;
    struct options o;
    struct args args;
    struct err e;
    struct buf b;

    buf_init(&b);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        CHECK(parse(&o, &args, LINE("--save", good[i]), &e) == 0);
        buf_reset(&b);
        value_format(opt_find(&trial, "save", 4, &near), &o, &b);
        CHECK_STR(b.data, good[i]);
    }
    CHECK(o.save.count == 0 && o.save.seconds == 7200);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!CHECK(parse(&o, &args, LINE("--save", bad[i]), &e)
                   == ERR_USAGE))
            printf("  %s\n", bad[i]);
    buf_release(&b);
}

TEST(a_share_is_a_count_or_a_percentage)
{
    static const char *const good[] = { "0", "7", "3%", "0.5%", "100%" };
    static const char *const bad[] = {
        "", "%", "3 %", "3%%", "-1%", "100.1%", "1e9%", "1.5", "1000001",
        "nan%", "99999999999999999999999%",
    };
    const char *near;
    struct options o;
    struct args args;
    struct err e;
    struct buf b;

    buf_init(&b);
    CHECK(parse(&o, &args, LINE(NULL), &e) == 0);
    CHECK(o.rise.count == 0 && o.rise.percent == 3);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        CHECK(parse(&o, &args, LINE("--rise", good[i]), &e) == 0);
        buf_reset(&b);
        value_format(opt_find(&trial, "rise", 4, &near), &o, &b);
        CHECK_STR(b.data, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!CHECK(parse(&o, &args, LINE("--rise", bad[i]), &e)
                   == ERR_USAGE))
            printf("  %s\n", bad[i]);
    buf_release(&b);
}

TEST(the_last_of_a_scalar_and_all_of_a_list_count)
{
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse(&o, &args, LINE("-n1", "-n2", "--targets", "a,,b",
                                "--targets=c", "--path=x,y", "--path=z"),
                &e) == 0);
    CHECK_EQ_U64(o.steps, 2);
    CHECK_EQ_U64(o.targets.n, 3);
    CHECK_STR(o.targets.item[2], "c");
    CHECK_EQ_U64(o.path.n, 2);
    CHECK_STR(o.path.item[0], "x,y");
}

TEST(wrong_lines_say_what_was_expected)
{
    refused(LINE("--step=3"), "unknown option --step (did you mean "
            "--steps?)");
    refused(LINE("--xyzzyx"), "unknown option --xyzzyx");
    refused(LINE("-fx"), "unknown option -x");
    refused(LINE("a", "b"), "extra operand 'b'");
    refused(LINE("--output"), "--output needs a value (FILE)");
    refused(LINE("-n0"), "--steps: bad value (found '0', expected "
            "1..1000000)");
    refused(LINE("-n1000001"), "--steps: bad value (found '1000001', "
            "expected 1..1000000)");
    refused(LINE("--save=1.5s"), "--save: bad value (found '1.5s', expected "
            "0..1000000, or a time in whole s, m or h as 90s, 5m or "
            "2h)");
    refused(LINE("--rise=150%"), "--rise: bad value (found '150%', expected "
            "0..1000000, or a part as 3%, from 0% to 100%)");
    refused(LINE("--memory=8GB"), "--memory: bad value (found '8GB', expected "
            "0..9007199254740992, also in whole K, M or G as 512M or 8G)");
    refused(LINE("--format=f3"), "--format: bad value (found 'f3', expected "
            "f32|bf16|int8)");
    refused(LINE("--device=gpu"), "--device: bad value (found 'gpu', "
            "expected auto|cpu)");
    refused(LINE("--device="), "--device: bad value (found '', expected "
            "auto|cpu)");
    refused(LINE("--flag=yes"), "--flag: bad value (found 'yes', expected "
            "true or false)");
    refused(LINE("--help=x"), "--help: bad value (found 'x', expected "
            "man|complete)");
    refused(LINE("--quiet=1"), "--quiet takes no value");
}

TEST(numbers_are_whole_strings_in_range)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "1K",
        "18446744073709551616",
    };
    static const char *const bad_sizes[] = {
        "K", "1k", "1KB", "1T", "18014398509481984K", "-1G",
        "9007199254740993", /* the limit and 1: no double */
    };
    static const char *const bad_reals[] = {
        "", "nan", "inf", "0x1p-3", "1e", "1.1", "-0.1", "1e999", ".5 ",
    };
    struct options o;
    struct args args;
    struct err e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(parse(&o, &args, LINE("--seed", bad[i]), &e) == ERR_USAGE);
    for (size_t i = 0; i < sizeof(bad_sizes) / sizeof(*bad_sizes); i++)
        CHECK(parse(&o, &args, LINE("--memory", bad_sizes[i]), &e)
              == ERR_USAGE);
    for (size_t i = 0; i < sizeof(bad_reals) / sizeof(*bad_reals); i++)
        CHECK(parse(&o, &args, LINE("--lr", bad_reals[i]), &e)
              == ERR_USAGE);
    CHECK(parse(&o, &args, LINE("--seed", "18446744073709551615",
                                "--memory=3G"), &e) == 0);
    CHECK_EQ_U64(o.seed, UINT64_MAX);
    CHECK_EQ_U64(o.memory, (uint64_t)3 << 30);
}

TEST(what_is_required_is_missed_unless_excused)
{
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse_with(&needy, &o, &args, LINE(NULL), &e) == ERR_USAGE);
    CHECK_STR(e.text, "--data, --steps are missing (see needy --help)");
    CHECK(parse_with(&needy, &o, &args, LINE("--steps=3"), &e)
          == ERR_USAGE);
    CHECK_STR(e.text, "--data is missing (see needy --help)");
    CHECK(parse_with(&needy, &o, &args, LINE("--flag", "--data", "x"), &e)
          == 0);
    CHECK(parse_with(&needy, &o, &args, LINE("--flag=false", "--data", "x"),
                     &e) == ERR_USAGE);
    CHECK_STR(e.text, "--steps is missing (see needy --help)");
    CHECK(parse_with(&needy, &o, &args, LINE("--data=x", "--steps", "3"), &e)
          == 0);
}

TEST(the_nearest_of_several_names)
{
    static const char *const names[] = { "train", "tokenize", "shard" };

    CHECK_STR(tool_nearest("trian", names, 3), "train");
    CHECK_STR(tool_nearest("shrad", names, 3), "shard");
    CHECK_STR(tool_nearest("tokenise", names, 3), "tokenize");
    CHECK(tool_nearest("xyzzy", names, 3) == NULL);
    CHECK(tool_nearest("ta", names, 3) == NULL);
    CHECK(tool_nearest("", names, 3) == NULL);
    CHECK(tool_nearest("train", names, 0) == NULL);
}

TEST(a_front_leaves_the_words_behind_its_operand)
{
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse_with(&front, &o, &args, LINE("-f", "train", "--xyzzy", "-n"),
                     &e) == 0);
    CHECK_EQ_U64(args.n, 3);
    CHECK_STR(args.operand[1], "--xyzzy");
}

/* A run file with that text; the caller frees its name. */
static char *
run_file(const char *text)
{
    const char *dir = getenv("TMPDIR");
    char *path = path_join(dir ? dir : "/tmp", "graft-tool-XXXXXX");
    int fd = mkstemp(path);

    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

/* A program with trial's rows before its own: one is new, one stands in the
 * place of trial's. */
TEST(shared_rows_come_first_and_own_ones_stand_in)
{
    struct wider {
        struct options first;
        bool more;
    };
    static const struct opt own[] = {
        { .name = "more", .type = OPT_FLAG,
          .offset = offsetof(struct wider, more), .help = "more" },
        { .name = "steps", .type = OPT_U64,
          .offset = offsetof(struct wider, first.steps), .arg = "N",
          .def = "3", .help = "fewer" },
        { .name = NULL },
    };
    static const struct tool wide = { .name = "try", .summary = "try",
                                      .operands = "", .opts = own,
                                      .shared = table };
    char *argv[] = { (char *)"try", (char *)"--more", (char *)"-f", NULL };
    struct wider o;
    struct args args;
    size_t n = 0, steps = 0;

    memset(&o, 0, sizeof(o));
    tool_start(&wide, &o, &args, 3, argv);
    CHECK(o.more && o.first.flag);
    CHECK_EQ_U64(o.first.steps, 3);
    CHECK(tool_given(&args, "more") && !tool_given(&args, "steps"));
    for (const struct opt *r = args.tool->opts; r->name != NULL; r++, n++)
        steps += strcmp(r->name, "steps") == 0;
    CHECK_EQ_U64(n, sizeof(table) / sizeof(table[0]));
    CHECK_EQ_U64(steps, 1);
    CHECK_STR(args.tool->opts[0].name, "output");
    CHECK_STR(args.tool->opts[n - 1].name, "more");
}

TEST(the_command_line_wins_over_a_run_file)
{
    char *path = run_file("{\"steps\": 7, \"lr\": 0.25, \"flag\": true,"
                          " \"targets\": [\"a,b\"], \"path\": \"p\","
                          " \"format\": \"f32\", \"output\": null,"
                          " \"seed\": \"18446744073709551615\"}");
    struct options o;
    struct args args;
    struct err e;

    CHECK(parse(&o, &args, LINE("-n8", "--targets=z", "--config", path),
                &e) == 0);
    CHECK_EQ_U64(o.steps, 8);
    CHECK_EQ_U64(o.seed, UINT64_MAX);
    CHECK(o.lr == .25 && o.flag && o.format == 0 && o.out == NULL);
    CHECK_EQ_U64(o.targets.n, 1);
    CHECK_STR(o.targets.item[0], "z");
    CHECK_STR(o.path.item[0], "p");
    CHECK(tool_given(&args, "lr"));
    CHECK(parse(&o, &args, LINE("--config", path), &e) == 0);
    CHECK_STR(o.targets.item[0], "a,b");
    unlink(path);
    free(path);
}

TEST(wrong_run_files_are_data_errors)
{
    static const char *const text[][2] = {
        { "{\"stepz\": 1}", "unknown key 'stepz' (did you mean 'steps'?)" },
        { "{\"quiet\": true}", "unknown key 'quiet'" },
        { "{\"config\": \"x\"}", "unknown key 'config'" },
        { "{\"steps\": 0}", "--steps: bad value (found '0'" },
        { "{\"steps\": 1.5}", "--steps: bad value (found '1.5'" },
        { "{\"steps\": true}", "--steps: a value of the wrong type" },
        { "{\"device\": \"gpu\"}", "--device: bad value (found 'gpu'" },
        { "{\"device\": 1}", "--device: a value of the wrong type" },
        { "{\"flag\": \"true\"}", "--flag: a value of the wrong type" },
        { "{\"seed\": 9007199254740994}", "--seed: a number over 2^53" },
        { "{\"path\": [1]}", "--path: an item that is no string" },
        { "{\"steps\": 1, \"steps\": 2}", "" },
        { "[]", "not a JSON object" },
    };
    struct options o;
    struct args args;
    struct err e;

    for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++) {
        char *path = run_file(text[i][0]);

        CHECK(parse(&o, &args, LINE("--config", path), &e) == ERR_DATA);
        CHECK(strncmp(e.text, path, strlen(path)) == 0);
        CHECK(strstr(e.text, text[i][1]) != NULL);
        unlink(path);
        free(path);
    }
}

TEST(provenance_has_what_decides_the_output)
{
    const char *const ids[] = { "output", "1234", NULL };
    struct options o;
    struct args args;
    struct err e;
    char *line;

    CHECK(parse(&o, &args, LINE("--path", "a b%\n", "--memory=1"), &e) == 0);
    line = tool_prov(&args, &o, NULL);
    CHECK_STR(strchr(line, ' ') + strcspn(strchr(line, ' ') + 1, " ") + 2,
              "flag=false steps=10 lr=0.0001 format=bf16 device=auto "
              "targets=q,k path=a%20b%25%0A");
    free(line);
    line = tool_prov(&args, &o, ids);
    CHECK(strstr(line, " output=1234 flag=") != NULL);
    free(line);
    CHECK(parse(&o, &args, LINE("--no-prov"), &e) == 0);
    CHECK(tool_prov(&args, &o, NULL) == NULL);
}

TEST(resolved_options_can_be_read_again)
{
    struct options o, again;
    struct args args;
    struct err e;
    struct buf b;
    char *path;

    CHECK(parse(&o, &args, LINE("--seed=18446744073709551615", "--path=\xff",
                                "--path=a,\"b", "--device=cpu", "-f",
                                "--lr=0.3"), &e) == 0);
    buf_init(&b);
    buf_addc(&b, '{');
    tool_json(&args, &o, false, &b);
    buf_addc(&b, '}');
    path = run_file(b.data);
    CHECK(parse(&again, &args, LINE("--config", path), &e) == 0);
    CHECK(again.seed == o.seed && again.lr == o.lr && again.flag);
    CHECK_EQ_U64(again.path.n, 2);
    CHECK_STR(again.path.item[1], "a,\"b");
    CHECK_STR(again.device, "cpu");
    CHECK(again.out == NULL && again.format == o.format);
    unlink(path);
    free(path);
    buf_release(&b);
}

static const struct test tests[] = {
    RUN(defaults_stand_where_nothing_is_said),
    RUN(every_spelling_of_an_option),
    RUN(how_often_is_a_count_or_a_time),
    RUN(a_share_is_a_count_or_a_percentage),
    RUN(the_last_of_a_scalar_and_all_of_a_list_count),
    RUN(wrong_lines_say_what_was_expected),
    RUN(numbers_are_whole_strings_in_range),
    RUN(what_is_required_is_missed_unless_excused),
    RUN(the_nearest_of_several_names),
    RUN(shared_rows_come_first_and_own_ones_stand_in),
    RUN(a_front_leaves_the_words_behind_its_operand),
    RUN(the_command_line_wins_over_a_run_file),
    RUN(wrong_run_files_are_data_errors),
    RUN(provenance_has_what_decides_the_output),
    RUN(resolved_options_can_be_read_again),
};

TEST_MAIN("tool", tests)
