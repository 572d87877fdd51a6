/* license.c - sentences by which licences are known, and expressions. */
#include "text/license.h"

#include <ctype.h>
#include <string.h>

#include "base/anycase.h"

#define DEPTH_MAX 16 /* of parentheses */

bool
license_is_file(const char *name, size_t n)
{
    static const char *const begins[] = { "license", "licence", "copying",
                                          "unlicense", "mit-license",
                                          "copyright" };

    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        if (!anycase_begins(name, n, begins[i]))
            continue;
        name += strlen(begins[i]);
        n -= strlen(begins[i]);
        return n == 0 || *name == '-' || *name == '_'
               || anycase_is(name, n, ".txt") || anycase_is(name, n, ".md")
               || anycase_is(name, n, ".rst") || anycase_is(name, n, ".lib")
               || anycase_is(name, n, ".lesser")
               || (n > 1 && *name == '.' && isupper((unsigned char)name[1])
                   && i < 4);
    }
    return false;
}

/* ---- texts ---- */

#define NEAR 1600 /* bytes that a short licence has */

/* Known by the sentence, if all of `with` and nothing of `without` follows
 * within NEAR, both parted by '|'; `far`: stands anywhere. */
static const struct known {
    const char *id, *sentence, *with, *without;
    bool far;
} known[] = {
    { "MIT",
      "permission is hereby granted, free of charge, to any person obtaining "
      "a copy of this software and associated documentation",
      .with = "above copyright notice and this permission notice",
      .without = "except as contained in this notice" },
    { "X11",
      "permission is hereby granted, free of charge, to any person obtaining "
      "a copy of this software and associated documentation",
      .with = "except as contained in this notice" },
    { "MIT-0",
      "permission is hereby granted, free of charge, to any person obtaining "
      "a copy of this software and associated documentation",
      .without = "above copyright notice and this permission notice" },
    { "BSD-4-Clause",
      "redistribution and use in source and binary forms, with or without",
      .with = "all advertising materials mentioning" },
    { "BSD-3-Clause",
      "redistribution and use in source and binary forms, with or without",
      .with = "endorse or promote", .without = "all advertising materials" },
    { "BSD-2-Clause",
      "redistribution and use in source and binary forms, with or without",
      .with = "binary form must reproduce",
      .without = "endorse or promote|all advertising materials" },
    { "ISC", "permission to use, copy, modify, and",
      .with = "provided that the above copyright notice and this permission "
      "notice appear" },
    { "ISC", "permission to use, copy, modify and",
      .with = "provided that the above copyright notice and this permission "
      "notice appear" },
    { "0BSD",
      "permission to use, copy, modify, and/or distribute this software for "
      "any purpose with or without fee is hereby granted",
      .without = "provided that the above" },
    { "Apache-2.0", "apache license version 2.0" },
    { "Apache-2.0", "apache license, version 2.0" },
    { "Apache-2.0", "apache 2.0 license" },
    { "AGPL-3.0-or-later", "gnu affero general public license",
      .with = "any later version", .without = "end of terms and conditions",
      .far = true },
    { "AGPL-3.0-only", "gnu affero general public license", .far = true },
    { "LGPL-3.0-or-later", "gnu lesser general public license",
      .with = "version 3|any later version",
      .without = "this version of the gnu lesser", .far = true },
    { "LGPL-3.0-only", "gnu lesser general public license",
      .with = "version 3", .without = "version 2.1, february", .far = true },
    { "LGPL-2.1-or-later", "gnu lesser general public license",
      .with = "version 2.1|any later version",
      .without = "end of terms and conditions", .far = true },
    { "LGPL-2.1-only", "gnu lesser general public license",
      .with = "version 2.1", .far = true },
    { "LGPL-2.0-or-later", "gnu library general public license",
      .with = "version 2|any later version",
      .without = "end of terms and conditions", .far = true },
    { "LGPL-2.0-only", "gnu library general public license",
      .with = "version 2", .far = true },
    { "GPL-3.0-or-later", "gnu general public license",
      .with = "version 3|any later version",
      .without = "end of terms and conditions", .far = true },
    { "GPL-3.0-only", "gnu general public license", .with = "version 3",
      .without = "version 2, june", .far = true },
    { "GPL-2.0-or-later", "gnu general public license",
      .with = "version 2|any later version",
      .without = "end of terms and conditions", .far = true },
    { "GPL-2.0-only", "gnu general public license", .with = "version 2",
      .far = true },
    { "MPL-2.0", "mozilla public license, v. 2.0" },
    { "MPL-2.0", "mozilla public license version 2.0" },
    { "MPL-2.0", "mozilla public license, version 2.0" },
    { "EPL-2.0", "eclipse public license - v 2.0" },
    { "EPL-2.0", "eclipse public license v2.0" },
    { "EPL-1.0", "eclipse public license - v 1.0" },
    { "EPL-1.0", "eclipse public license v1.0" },
    { "Unlicense",
      "this is free and unencumbered software released into the public "
      "domain" },
    { "CC0-1.0", "cc0 1.0 universal" },
    { "CC-BY-SA-4.0", "creative commons attribution-sharealike 4.0" },
    { "CC-BY-SA-4.0", "attribution-sharealike 4.0 international" },
    { "CC-BY-4.0", "creative commons attribution 4.0" },
    { "CC-BY-4.0", "attribution 4.0 international" },
    { "CC-BY-3.0", "creative commons attribution 3.0" },
    { "CC-BY-3.0", "creative commons cc by 3.0" },
    { "Zlib",
      "this software is provided 'as-is', without any express or implied "
      "warranty", .with = "altered source versions must be plainly marked" },
    { "BSL-1.0", "boost software license - version 1.0" },
    { "BSL-1.0", "boost software license, version 1.0" },
    { "Artistic-2.0", "artistic license 2.0" },
    { "Artistic-2.0", "the artistic license version 2.0" },
    { "WTFPL", "do what the fuck you want to public license" },
    { "OFL-1.1", "sil open font license, version 1.1" },
    { "OFL-1.1", "sil open font license version 1.1" },
    { "SSPL-1.0", "server side public license" },
    { "LicenseRef-RSALv2", "redis source available license" },
    { "BUSL-1.1", "business source license 1.1" },
    { "Python-2.0", "python software foundation license version 2" },
    { "PostgreSQL",
      "permission to use, copy, modify, and distribute this software and its "
      "documentation for any purpose, without fee", .with = "postgresql" },
};

/* In lower case, words parted by one blank, without marks of comments. */
static void
flatten(const char *text, size_t n, struct buf *out)
{
    static const char marks[] = "*#;%\"<>";
    char of[256], *p = buf_room(out, n);
    bool blank = true;

    for (int i = 0; i < 256; i++)
        of[i] = i <= ' ' || strchr(marks, i) ? ' ' : (char)tolower(i);
    for (size_t i = 0; i < n; i++) {
        char c = of[(unsigned char)text[i]];

        if (c == '/' && (blank || i + 1 == n
                         || of[(unsigned char)text[i + 1]] == ' '))
            c = ' ';
        if (c != ' ' || !blank)
            *p++ = c;
        blank = c == ' ';
    }
    *p = '\0';
    out->len = (size_t)(p - out->data);
}

/* How many of the words, parted by '|', stand in text[n]; *all: of how
 * many. */
static int
count_words(const char *text, size_t n, const char *words, int *all)
{
    int found = 0;

    *all = 0;
    while (words && *words) {
        size_t len = strcspn(words, "|");

        found += memmem(text, n, words, len) != NULL;
        ++*all;
        words += len + (words[len] == '|');
    }
    return found;
}

/* Every one of these has a word of one of those. */
static bool
may_be_license(const char *text, size_t n)
{
    static const char *const words[] = { "icens", "ICENS", "icenc", "ermission",
                                         "edistribut", "public domain",
                                         "CC0", "Boost", "ttribution",
                                         "without any express" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(text, n, words[i], strlen(words[i])))
            return true;
    return false;
}

/* Whether the sentence that stands at `at` of the text is that licence's. */
static bool
is_known(const struct known *k, const struct buf *flat, const char *at)
{
    const char *from = k->far ? flat->data : at;
    size_t n = (size_t)(flat->data + flat->len - from);
    int all;

    n = k->far || n < NEAR ? n : NEAR;
    return count_words(from, n, k->with, &all) == all
           && count_words(from, n, k->without, &all) == 0;
}

bool
license_of_text(const char *text, size_t n, struct buf *out)
{
    const char *first = NULL, *id = NULL, *at = NULL;
    struct buf flat;

    n = n < LICENSE_FILE_BYTES ? n : LICENSE_FILE_BYTES;
    if (!may_be_license(text, n))
        return false;
    buf_init(&flat);
    flatten(text, n, &flat);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct known *k = &known[i];

        if (i == 0 || strcmp(k->sentence, k[-1].sentence) != 0)
            at = strstr(flat.data, k->sentence);
        if (!at || (first && at >= first) || !is_known(k, &flat, at))
            continue;
        first = at;
        id = k->id;
    }
    if (id)
        buf_addstr(out, id);
    buf_release(&flat);
    return id != NULL;
}

/* ---- expressions ---- */

struct expression {
    const char *p, *end;
    const char *const *allowed;
    size_t n;
    bool bad;
};

static bool
is_id(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '+'
           || c == ':';
}

/* The next word, "(" or ")", and not taken yet; 0: the end, or what is none,
 * as the end of a comment. */
static size_t
peek(struct expression *s)
{
    size_t n = 0;

    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
    if (s->p < s->end && (*s->p == '(' || *s->p == ')'))
        return 1;
    while (s->p + n < s->end && is_id(s->p[n]))
        n++;
    return n;
}

static bool
take(struct expression *s, const char *word)
{
    size_t n = peek(s);

    if (!anycase_is(s->p, n, word))
        return false;
    s->p += n;
    return true;
}

static bool either(struct expression *s, int depth);

static bool
one(struct expression *s, int depth)
{
    bool ok = false;
    size_t n;

    if (take(s, "(")) {
        ok = either(s, depth + 1);
        s->bad |= !take(s, ")");
        return ok;
    }
    n = peek(s);
    s->bad |= n == 0 || *s->p == ')';
    for (size_t i = 0; i < s->n; i++)
        ok |= anycase_is(s->p, n, s->allowed[i]);
    s->p += n;
    if (take(s, "WITH")) {
        n = peek(s);
        s->bad |= n == 0;
        s->p += n;
    }
    return ok;
}

static bool
both(struct expression *s, int depth)
{
    bool ok = one(s, depth);

    while (!s->bad && take(s, "AND"))
        ok &= one(s, depth);
    return ok;
}

static bool
either(struct expression *s, int depth)
{
    bool ok;

    if (depth > DEPTH_MAX) {
        s->bad = true;
        return false;
    }
    ok = both(s, depth);
    while (!s->bad && take(s, "OR"))
        ok |= both(s, depth);
    return ok;
}

bool
license_allows(const char *text, size_t n, const char *const *allowed,
               size_t n_allowed)
{
    struct expression s = { text, text + n, allowed, n_allowed, false };
    bool ok = either(&s, 0);

    return ok && !s.bad && peek(&s) == 0 && s.p == s.end;
}

/* ---- source files ---- */

size_t
license_head(const char *text, size_t n)
{
    size_t at = 0;
    const char *eol;

    n = n < LICENSE_HEAD_BYTES ? n : LICENSE_HEAD_BYTES;
    for (int i = 0; i < LICENSE_HEAD_LINES && at < n; i++) {
        eol = memchr(text + at, '\n', n - at);
        at = eol ? (size_t)(eol + 1 - text) : n;
    }
    return at;
}

/* Appends the expression that begins there, if it is one. */
static bool
put_expression(const char *p, const char *end, struct buf *out)
{
    struct expression s = { .p = p, .end = end };

    (void)peek(&s);
    p = s.p;
    (void)either(&s, 0);
    if (s.bad || s.p == p)
        return false;
    buf_add(out, p, (size_t)(s.p - p));
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    return true;
}

bool
license_of_source(const char *text, size_t n, struct buf *out)
{
    static const char mark[] = "SPDX-License-Identifier:";
    const char *p, *eol;

    n = license_head(text, n);
    p = memmem(text, n, mark, sizeof(mark) - 1);
    if (p) {
        p += sizeof(mark) - 1;
        eol = memchr(p, '\n', (size_t)(text + n - p));
        if (put_expression(p, eol ? eol : text + n, out))
            return true;
    }
    return license_of_text(text, n, out);
}
