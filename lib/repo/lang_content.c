/* lang_content.c - texts that say what they are: "#!/usr/bin/env python3",
 * "-*- mode: c -*-", "vim: ft=sh", "<?xml", "diff --git".
 */
#include <stdbool.h>
#include <string.h>

#include "base/anycase.h"
#include "repo/lang_table.h"
#include "repo/span.h"

#define MODE_LINES 5   /* at both ends, where editors look for theirs */
#define MODE_BYTES 2048
#define HEAD_BYTES 1024

static struct span
skip(struct span t, size_t n)
{
    return (struct span){ t.p + n, t.n - n };
}

static struct span
skip_blanks(struct span t)
{
    while (t.n > 0 && memchr(" \t\r\n", t.p[0], 4))
        t = skip(t, 1);
    return t;
}

static struct span
first_line(struct span t)
{
    const char *eol = t.n > 0 ? memchr(t.p, '\n', t.n) : NULL;

    if (eol)
        t.n = (size_t)(eol - t.p);
    return t;
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '_'
           || c == '#';
}

/* What t begins with, of such letters. */
static struct span
first_word(struct span t)
{
    size_t n = 0;

    while (n < t.n && is_word(t.p[n]))
        n++;
    return (struct span){ t.p, n };
}

/* Where word is in t; n = 0 if it isn't there. */
static struct span
find(struct span t, const char *word)
{
    const char *at = t.n > 0 ? memmem(t.p, t.n, word, strlen(word)) : NULL;

    return at ? skip(t, (size_t)(at - t.p)) : (struct span){ t.p, 0 };
}

/* ---- names that interpreters and editors have for languages ---- */

static const struct lang_name aliases[] = {
    {"ash", "shell"}, {"bash", "shell"}, {"bats", "shell"},
    {"bb", "clojure"}, {"bun", "javascript"}, {"cperl", "perl"},
    {"cpp", "c++"}, {"dash", "shell"}, {"deno", "typescript"},
    {"dosbatch", "batch"}, {"dosini", "ini"}, {"elisp", "emacs-lisp"},
    {"escript", "erlang"}, {"expect", "tcl"}, {"gawk", "awk"},
    {"gjs", "javascript"}, {"gmake", "makefile"}, {"groff", "troff"},
    {"guile", "scheme"}, {"jsh", "java"}, {"ksh", "shell"},
    {"lisp", "common-lisp"}, {"luajit", "lua"}, {"make", "makefile"},
    {"makefile-gmake", "makefile"}, {"mawk", "awk"}, {"mksh", "shell"},
    {"nawk", "awk"}, {"node", "javascript"}, {"nodejs", "javascript"},
    {"nroff", "troff"}, {"osascript", "applescript"}, {"pwsh", "powershell"},
    {"pypy", "python"}, {"racket", "racket"}, {"rscript", "r"},
    {"runghc", "haskell"}, {"runhaskell", "haskell"}, {"sh", "shell"},
    {"tclsh", "tcl"}, {"tsx", "typescript"}, {"wish", "tcl"},
    {"zsh", "shell"}
};

/* Of a mode or an interpreter; else of a language or an extension that is
 * called so. */
static const char *
lang_called(struct span name)
{
    const size_t n = sizeof(aliases) / sizeof(*aliases);
    size_t i;

    for (i = 0; i < n; i++) {
        if (anycase_is(name.p, name.n, aliases[i].key))
            return aliases[i].lang;
    }
    for (i = 0; i < lang_n_extensions && name.n > 0; i++) {
        if (anycase_is(name.p, name.n, lang_by_extension[i].lang))
            return lang_by_extension[i].lang;
    }
    return name.n > 1 ? lang_of_extension(name.p, name.n) : NULL;
}

/* ---- the interpreter's line ---- */

/* Takes the next word of a line, up to a blank, off it. */
static struct span
take_word(struct span *line)
{
    struct span word;

    *line = skip_blanks(*line);
    word = *line;
    for (word.n = 0; word.n < line->n; word.n++) {
        if (memchr(" \t\r", word.p[word.n], 3))
            break;
    }
    *line = skip(*line, word.n);
    return word;
}

/* "python3.11" without its version. */
static struct span
without_version(struct span name)
{
    size_t n = name.n;

    while (n > 0 && ((name.p[n - 1] >= '0' && name.p[n - 1] <= '9')
                     || name.p[n - 1] == '.' || name.p[n - 1] == '-'))
        n--;
    return (struct span){ name.p, n > 0 ? n : name.n };
}

static const char *
by_interpreter(struct span t)
{
    struct span line = skip(first_line(t), 2), word = take_word(&line);
    const char *slash = word.n > 0 ? memrchr(word.p, '/', word.n) : NULL;

    if (slash)
        word = skip(word, (size_t)(slash + 1 - word.p));
    if (word.n == 3 && span_starts(word, "env")) {
        do /* past its options, and what it sets */
            word = take_word(&line);
        while (word.n > 0 && (word.p[0] == '-' || memchr(word.p, '=', word.n)));
        slash = word.n > 0 ? memrchr(word.p, '/', word.n) : NULL;
        if (slash)
            word = skip(word, (size_t)(slash + 1 - word.p));
    }
    return lang_called(without_version(word));
}

/* ---- lines for editors ---- */

/* "-*- c++ -*-" or "-*- coding: utf-8; mode: c++ -*-" */
static const char *
by_emacs(struct span line)
{
    struct span at = find(line, "-*-"), mode;

    if (at.n == 0)
        return NULL;
    at = skip(at, 3);
    if (find(at, "-*-").n == 0)
        return NULL;
    at.n -= find(at, "-*-").n;
    mode = find(at, "ode:"); /* Mode: as well */
    if (mode.n > 0)
        return lang_called(first_word(skip_blanks(skip(mode, 4))));
    return memchr(at.p, ':', at.n) ? NULL
                                   : lang_called(first_word(skip_blanks(at)));
}

/* "vim: set ft=sh :", "vi: syntax=perl" */
static const char *
by_vim(struct span line)
{
    static const char *const key[] = {"filetype=", "ft=", "syntax=", "syn="};
    struct span at = find(line, "vim:"), value;
    size_t i;

    if (at.n == 0)
        at = find(line, "vi:");
    for (i = 0; at.n > 0 && i < sizeof(key) / sizeof(*key); i++) {
        value = find(at, key[i]);
        if (value.n > 0)
            return lang_called(first_word(skip(value, strlen(key[i]))));
    }
    return NULL;
}

static const char *
by_mode(struct span t)
{
    const char *found = NULL;
    struct span line;
    int i;

    for (i = 0; i < MODE_LINES && t.n > 0 && !found; i++) {
        line = first_line(t);
        if (i < 2)
            found = by_emacs(line);
        if (!found)
            found = by_vim(line);
        t = skip(t, line.n + (line.n < t.n));
    }
    return found;
}

/* The last lines, no more bytes than anybody needs for them. */
static struct span
last_lines(struct span t)
{
    size_t at = t.n, least = t.n > MODE_BYTES ? t.n - MODE_BYTES : 0;
    int lines = 0;

    while (at > least) {
        if (t.p[at - 1] == '\n' && at < t.n && ++lines == MODE_LINES)
            break;
        at--;
    }
    return skip(t, at);
}

/* ---- how texts begin ---- */

static const char *
by_head(struct span t)
{
    static const struct lang_name head[] = {
        {"<?php", "php"}, {"%!PS", "postscript"}, {"%YAML", "yaml"},
        {"diff --git ", "diff"}, {"Index: ", "diff"},
        {"-----BEGIN ", "pem"}, {"\\documentclass", "tex"},
        {"\\input texinfo", "texinfo"}, {"{\\rtf", "rtf"},
        {"#compdef", "shell"}, {"#autoload", "shell"},
        {"syntax = \"proto", "protobuf"}, {".\\\"", "troff"},
        {"'\\\"", "troff"}, {".TH ", "troff"}, {".Dd ", "troff"}
    };
    static const char *const html[] = {"<!doctype html", "<html"};
    size_t i;

    for (i = 0; i < sizeof(head) / sizeof(*head); i++) {
        if (span_starts(t, head[i].key))
            return head[i].lang;
    }
    for (i = 0; i < sizeof(html) / sizeof(*html); i++) {
        if (anycase_begins(t.p, t.n, html[i]))
            return "html";
    }
    if (span_starts(t, "<?xml"))
        return find(t, "<svg").n > 0 ? "svg" : "xml";
    if (span_starts(t, "--- ") && find(t, "\n+++ ").n > 0)
        return "diff";
    if (span_starts(t, "From ") && find(t, "\nSubject: [PATCH").n > 0)
        return "diff";
    if (span_starts(t, "{") && span_starts(skip_blanks(skip(t, 1)), "\""))
        return "json";
    return NULL;
}

const char *
lang_of_content(const char *p, size_t n)
{
    struct span t = { p, n }, head;
    const char *found = NULL;

    if (span_starts(t, "\xef\xbb\xbf"))
        t = skip(t, 3);
    if (span_starts(t, "#!"))
        found = by_interpreter(t);
    if (!found)
        found = by_mode((struct span){ t.p, t.n < MODE_BYTES ? t.n
                                                             : MODE_BYTES });
    if (!found)
        found = by_mode(last_lines(t));
    head = skip_blanks(t);
    if (head.n > HEAD_BYTES)
        head.n = HEAD_BYTES;
    return found ? found : by_head(head);
}

bool
lang_is_manual(const char *p, size_t n)
{
    return n > 2 && (p[0] == '.' || p[0] == '\'')
           && (p[1] == '\\' || (p[1] >= 'A' && p[1] <= 'Z')
               || (p[1] >= 'a' && p[1] <= 'z'));
}
