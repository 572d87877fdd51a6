/* help.c - --help, the man page's OPTIONS and the shell completion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/internal.h"

#define COLUMN 26
#define WIDTH 79

/* text wrapped at WIDTH, from column `at` on; later lines begin at COLUMN. */
static void
print_wrapped(const char *text, int at)
{
    while (*text != '\0') {
        int n = (int)strcspn(text, " ");

        if (at > COLUMN && at + 1 + n > WIDTH) {
            printf("\n%*s", COLUMN, "");
            at = COLUMN;
        } else if (at > COLUMN) {
            putchar(' ');
            at++;
        }
        printf("%.*s", n, text);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
    putchar('\n');
}

/* "tool --data DIR --base DIR [OPTION]... [FILE]". */
static void
print_usage(const struct tool *t, const char *called)
{
    printf("usage: %s", called);
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        if (o->required && o->letter != 0)
            printf(" -%c %s", o->letter, o->arg);
        else if (o->required)
            printf(" --%s %s", o->name, o->arg);
    }
    printf(" [OPTION]...%s%s\n", *t->operands ? " " : "", t->operands);
}

static void
print_opt(const struct opt *o)
{
    struct buf text;
    char left[80];
    const char *c;
    size_t k;
    int n = 0;

    n += snprintf(left, sizeof(left), "  %c%c%s --%s", o->letter ? '-' : ' ',
                  o->letter ? o->letter : ' ', o->letter ? "," : " ",
                  o->name);
    if (o->arg != NULL)
        n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
    printf("%s", left);
    if (n >= COLUMN - 1)
        printf("\n%*s", COLUMN, "");
    else
        printf("%*s", COLUMN - n, "");
    buf_init(&text);
    buf_addstr(&text, o->help);
    if (o->choices != NULL)
        buf_addf(&text, ": %s", o->choices);
    if (o->def != NULL)
        buf_addf(&text, " (default %s)", o->def);
    if (o->required)
        buf_addstr(&text, " (required");
    for (size_t i = 0; o->required && o->unless != NULL
                       && (c = choice_at(o->unless, i, &k)) != NULL; i++)
        buf_addf(&text, " %s --%.*s", i > 0 ? "or" : "unless", (int)k, c);
    if (o->required)
        buf_addc(&text, ')');
    print_wrapped(text.data, COLUMN);
    buf_release(&text);
}

void
help_print(const struct tool *t, const char *called)
{
    print_usage(t, called);
    printf("%s - %s\n\n", t->name, t->summary);
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        print_opt(o);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        print_opt(o);
    if (t->more_help != NULL)
        t->more_help();
    printf("\nSee %s%s(1) for more and for examples.\n",
           strcmp(t->name, "graft") == 0 ? "" : "graft-", t->name);
}

/* One sentence of mdoc text: begins with a capital, ends with a dot, and
 * backslashes escaped. */
static void
man_text(const char *text, const char *end)
{
    putchar(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
    for (text++; *text != '\0'; text++) {
        if (*text == '\\')
            printf("\\e");
        else
            putchar(*text);
    }
    puts(end);
}

static void
man_required(const char *unless)
{
    const char *c;
    size_t n;

    if (unless == NULL) {
        puts("Required.");
        return;
    }
    puts("Required unless");
    for (size_t i = 0; (c = choice_at(unless, i, &n)) != NULL; i++)
        printf("%s.Fl -%.*s\n", i > 0 ? "or\n" : "", (int)n, c);
    puts("is given.");
}

static void
man_opt(const struct opt *o)
{
    printf(".It ");
    if (o->letter != 0)
        printf("Fl %c , ", o->letter);
    printf("Fl -%s", o->name);
    if (o->arg != NULL)
        printf(" Ar %s", o->arg);
    putchar('\n');
    man_text(o->help, o->choices != NULL ? ":" : ".");
    for (size_t i = 0, n; o->choices != NULL; i++) {
        const char *c = choice_at(o->choices, i, &n);
        bool last = c != NULL && c[n] == '\0';

        if (c == NULL)
            break;
        printf("%s.Cm %.*s%s\n", last && i > 0 ? "or\n" : "", (int)n, c,
               last ? " ." : " ,");
    }
    if (o->def != NULL)
        printf("The default is\n.Cm %s .\n", o->def);
    if (o->required)
        man_required(o->unless);
    if (o->type == OPT_SIZE)
        puts("A number of bytes may end in K, M or G.");
    if (o->type == OPT_EVERY)
        puts("A time ends in s, m or h.");
    if (o->type == OPT_SHARE)
        puts("A part is in percent, as 3%.");
    if (o->type == OPT_LIST)
        puts("May be repeated; commas part items.");
    if (o->type == OPT_WORDS)
        puts("May be repeated.");
}

static const struct {
    int code;
    const char *text;
} exits[] = {
    { 3, "Finished, but some input was skipped "
         "(only with\n.Fl -keep-going ) ." },
    { 4, "Invalid, truncated or corrupt input." },
    { 5, "A limit was exceeded." },
    { 6, "The output exists or is locked." },
    { 75, "A checkpoint was written on request: run again." },
};

static void
man_exits(const struct tool *t)
{
    const char *list = t->exits != NULL ? t->exits : "4";
    char *end;

    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds\n.It 0\nDone.\n"
         ".It 1\nAn input or output error, or an internal one.\n"
         ".It 2\nWrong use.");
    for (;; list = end) {
        long code = strtol(list, &end, 10);

        if (end == list)
            break;
        for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
            if (exits[i].code == code)
                printf(".It %ld\n%s\n", code, exits[i].text);
        }
    }
    puts(".El");
}

void
help_man(const struct tool *t)
{
    puts(".Sh OPTIONS\n.Bl -tag -width Ds");
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        man_opt(o);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        man_opt(o);
    puts(".El");
    man_exits(t);
}

/* An option whose values are known completes them. */
static void
complete_choices(const struct opt *o)
{
    size_t n;

    printf("    --%s)\n        COMPREPLY=($(compgen -W '", o->name);
    for (size_t i = 0;; i++) {
        const char *c = choice_at(o->choices, i, &n);

        if (c == NULL)
            break;
        printf("%s%.*s", i ? " " : "", (int)n, c);
    }
    puts("' -- \"$cur\"))\n        return ;;");
}

void
help_completion(const struct tool *t)
{
    printf("_graft_%s()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]}\n"
           "    case ${COMP_WORDS[COMP_CWORD-1]} in\n", t->name);
    for (const struct opt *o = t->opts; o->name != NULL; o++) {
        if (o->choices != NULL)
            complete_choices(o);
    }
    printf("    esac\n    case $cur in\n    -*)\n"
           "        COMPREPLY=($(compgen -W '");
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        printf("--%s ", o->name);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        printf("%s--%s", o == tool_common ? "" : " ", o->name);
    printf("' -- \"$cur\")) ;;\n    esac\n}\n"
           "complete -o default -F _graft_%s %s\n", t->name, t->name);
}
