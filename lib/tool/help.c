/* help.c - --help, the man page's OPTIONS and the shell completion. */
#include <stdio.h>
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

static void
print_opt(const struct opt *o)
{
    char left[80], right[512];
    int n = 0;

    n += snprintf(left, sizeof(left), "  %c%c%s --%s", o->letter ? '-' : ' ',
                  o->letter ? o->letter : ' ', o->letter ? "," : " ",
                  o->name);
    if (o->arg != NULL)
        n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
    snprintf(right, sizeof(right), "%s%s%s%s%s%s", o->help,
             o->choices ? ": " : "", o->choices ? o->choices : "",
             o->def ? " (default " : "", o->def ? o->def : "",
             o->def ? ")" : "");
    printf("%s", left);
    if (n >= COLUMN - 1)
        printf("\n%*s", COLUMN, "");
    else
        printf("%*s", COLUMN - n, "");
    print_wrapped(right, COLUMN);
}

void
help_print(const struct tool *t)
{
    printf("usage: %s [OPTION]...%s%s\n%s - %s\n\n", t->name,
           *t->operands ? " " : "", t->operands, t->name, t->summary);
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        print_opt(o);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        print_opt(o);
    printf("\nSee graft-%s(1) for more and for examples.\n", t->name);
}

/* mdoc text: a line that begins with a dot or quote would be a macro. */
static void
man_opt(const struct opt *o)
{
    printf(".It ");
    if (o->letter != 0)
        printf("Fl %c , ", o->letter);
    printf("Fl -%s", o->name);
    if (o->arg != NULL)
        printf(" Ar %s", o->arg);
    printf("\n%c%s", o->help[0] >= 'a' && o->help[0] <= 'z'
           ? o->help[0] - 'a' + 'A' : o->help[0], o->help + 1);
    if (o->choices != NULL)
        printf(": one of %s", o->choices);
    printf(".\n");
    if (o->def != NULL)
        printf("Default: %s.\n", o->def);
}

void
help_man(const struct tool *t)
{
    printf(".Sh OPTIONS\n.Bl -tag -width Ds\n");
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        man_opt(o);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        man_opt(o);
    printf(".El\n");
}

void
help_completion(const struct tool *t)
{
    printf("complete -o default -W '");
    for (const struct opt *o = t->opts; o->name != NULL; o++)
        printf("--%s ", o->name);
    for (const struct opt *o = tool_common; o->name != NULL; o++)
        printf("--%s ", o->name);
    printf("' %s\n", t->name);
}
