/* said.h - what a test's code says on stderr. */
#ifndef SAID_H
#define SAID_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct said {
    FILE *file;
    int saved;
    char text[4096];
};

static inline void
said_begin(struct said *s)
{
    s->file = tmpfile();
    s->saved = dup(STDERR_FILENO);
    if (s->file == NULL || s->saved < 0
        || dup2(fileno(s->file), STDERR_FILENO) < 0)
        exit(1);
}

/* The text since said_begin, cut after 4 KiB. */
static inline const char *
said_end(struct said *s)
{
    size_t n;

    rewind(s->file);
    n = fread(s->text, 1, sizeof(s->text) - 1, s->file);
    s->text[n] = '\0';
    dup2(s->saved, STDERR_FILENO);
    close(s->saved);
    fclose(s->file);
    return s->text;
}

#endif
