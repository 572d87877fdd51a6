/* tool.h - what every program shares: one table of options.
 *
 * A program declares a const struct tool with its options. From that table
 * come parsing, --help, the OPTIONS section of its man page, the shell
 * completion, the keys of its JSON run file and the provenance line, so they
 * can't drift apart. Every program also has -q, -v, --no-prov, --help and
 * --version.
 *
 *     struct options {
 *         uint64_t seed;
 *     };
 *
 *     static const struct opt table[] = {
 *         { .name = "seed", .type = OPT_U64, AT(seed), .arg = "N", ... },
 *         { .name = NULL },
 *     };
 *
 *     static tool_run run;
 *
 *     const struct tool tool = {
 *         .name = "try",
 *         .opts = table,
 *         .options_size = sizeof(struct options),
 *         .run = run,
 *         ...
 *     };
 *
 * Its main is lib/tool's: it fills a struct options from the command line and
 * calls run, whose result is the exit code and whose error is printed.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum opt_type {
    OPT_FLAG,   /* bool: takes no value */
    OPT_STRING, /* const char *, NULL when not given and without default */
    OPT_U64,    /* uint64_t */
    OPT_DOUBLE, /* double */
    OPT_SIZE,   /* uint64_t: bytes, with a suffix K, M or G */
    OPT_EVERY,  /* struct opt_every: a count, or a time as 90s, 5m, 2h */
    OPT_SHARE,  /* struct opt_share: a count, or a part as 3%, 2.5% */
    OPT_CHOICE, /* int: index into choices */
    OPT_NAME,   /* const char *: one of choices */
    OPT_LIST,   /* struct opt_list: may be repeated, commas part items */
    OPT_WORDS,  /* struct opt_list: may be repeated, a comma is a comma */
    OPT_CONFIG  /* const char *: a JSON file that sets the other options */
};

/* How often something happens: after so many, or so many seconds; one of
 * the two is 0, both for never. */
struct opt_every {
    uint64_t count, seconds;
};

/* So many, or that part of a whole that is known later; one of the two is
 * 0. */
struct opt_share {
    uint64_t count;
    double percent;
};

struct opt_list {
    const char **item;
    size_t n;
};

/* Whole numbers up to here are exact in a run file's JSON. */
#define OPT_MAX_EXACT 9007199254740992.0

/* In a row: where the value goes, in the program's struct options or in
 * another struct. */
#define AT(field) AT_IN(struct options, field)
#define AT_IN(type, field) .offset = offsetof(type, field)

/* A number that has a name, as a default. */
#define OPT_DEFAULT(n) OPT_DEFAULT_TEXT(n)
#define OPT_DEFAULT_TEXT(n) #n

struct opt {
    const char *name;    /* "seq-len"; NULL ends the table */
    char letter;         /* 'L', or 0 */
    uint8_t type;
    bool output;         /* affects the output: part of provenance */
    size_t offset;       /* of the value in the options struct */
    const char *arg;     /* "N"; NULL for a flag */
    const char *help;    /* short, lower case, with the unit */
    const char *def;     /* as one would type it; NULL: none */
    double min, max;     /* of numbers; both 0: any */
    const char *choices; /* "f32|bf16" */
    bool required;       /* the line or a run file must set it */
    const char *unless;  /* options with which it isn't: "dry-run|help"; or
                            NULL */
    const char *instead; /* on the line, of these in a run file: "steps|epochs";
                            or NULL */
};

struct args;

/* What a program does. opts: its own options struct, filled. Returns 0 or
 * more, the exit code, or e's code. */
typedef int tool_run(void *opts, const struct args *args, struct err *e);

struct tool {
    const char *name;
    const char *summary;  /* one line, lower case */
    const char *operands; /* "REPO...", "" for none */
    size_t min_operands, max_operands;
    const struct opt *opts;
    const struct opt *shared; /* rows before these, which fill the beginning
                                 of the struct; one of the same name in opts
                                 stands in its place. NULL: none */
    size_t options_size; /* of the struct that the table fills */
    tool_run *run;
    bool stops; /* run can put its work away: base/stop.h */
    const char *exits;       /* exit codes besides 0, 1, 2; NULL: "4" */
    bool options_first;      /* the first operand ends the options */
    void (*more_help)(void); /* prints below --help's options; or NULL */
};

/* The program's own, which defines it. */
extern const struct tool tool;

/* What a command line held besides options. */
struct args {
    const struct tool *tool;
    const char *called; /* as what: "train" or "graft train" */
    char **operand;
    size_t n;
    bool no_prov, quiet;
    bool *given; /* by index of tool->opts: set by the user */
};

/* The name that is nearest to a mistyped one; NULL where none is near. */
const char *tool_nearest(const char *name, const char *const *names,
                         size_t n);

/* Whether the user set that option, on the command line or in a run file. */
bool tool_given(const struct args *args, const char *name);

/* "tokenize 0.1.0 template=plain ...": program, version and every option
 * that affects the output with its value, defaults too. NULL with --no-prov.
 * ids replaces the value of an option by a content id: pairs of option name
 * and text, ended by NULL; such an option is named only where it is listed.
 * Blanks, '%' and what is not printable ASCII stand as %XX. The caller frees
 * it. */
char *tool_prov(const struct args *args, const void *opts,
                const char *const *ids);

/* The resolved options, all or those alone that affect the output, as
 * members of a JSON object without braces: "\"lr\": 0.0001, ...". What was not
 * set and has no default is null. */
void tool_json(const struct args *args, const void *opts, bool output_only,
               struct buf *out);

/* Whether somebody reads stdout on a terminal: what has a form for people
 * and one for programs takes the first there, and the second in a pipeline
 * or a file. */
bool tool_on_terminal(void);

const char *tool_version(void);

#endif
