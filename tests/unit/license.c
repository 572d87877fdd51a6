/* license.c - licences by their texts, notices and tags; expressions; names of
 * files and of authors that are programs. */
#include "text/license.h"

#include <string.h>

#include "base/io.h"
#include "test.h"
#include "text/author_kind.h"

/* What the text is, "" for none. */
static void
is(const char *text, const char *want)
{
    struct buf got;

    buf_init(&got);
    license_of_source(text, strlen(text), &got);
    CHECK_STR(got.data, want);
    buf_release(&got);
}

#define MIT_GRANT "Permission is hereby granted, free of charge, to any " \
    "person obtaining a copy\n * of this software and associated documentation"
#define BSD_GRANT "# Redistribution and use in source and binary forms, with " \
    "or without\n# modification, are permitted\n"

static void
notices(void)
{
    is("", "");
    is("int main(void);\n", "");
    is("/* Copyright A. All rights reserved. No license. */\n", "");
    is("/*\n * " MIT_GRANT "\n * The above copyright notice and this\n"
       " * permission notice shall be included\n */\n", "MIT");
    is("/* " MIT_GRANT " to deal */\n", "MIT-0");
    is(BSD_GRANT "# 2. Redistributions in binary form must reproduce\n",
       "BSD-2-Clause");
    is(BSD_GRANT "# in binary form must reproduce\n# be used to endorse or\n"
       "# promote products\n", "BSD-3-Clause");
    is("// Licensed under the Apache License, Version 2.0 (the x)\n",
       "Apache-2.0");
    is("/* under the terms of the GNU General Public License as published by\n"
       "   the Free Software Foundation; either version 2 of the License, or\n"
       "   (at your option) any later version. */\n", "GPL-2.0-or-later");
    is("/* under the GNU General Public License, version 2 */\n",
       "GPL-2.0-only");
    is("; GNU Lesser General Public License, either version 2.1 of the\n"
       "; License, or (at your option) any later version\n",
       "LGPL-2.1-or-later");
    is("// Mozilla Public License, v. 2.0. If a copy\n", "MPL-2.0");
}

static void
tags(void)
{
    is("// SPDX-License-Identifier: MIT\n", "MIT");
    is("/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */\n",
       "GPL-2.0-only WITH Linux-syscall-note");
    is("# SPDX-License-Identifier: (MIT OR Apache-2.0)\n",
       "(MIT OR Apache-2.0)");
    is("<!-- SPDX-License-Identifier: ISC -->\n", "ISC");
    is("# SPDX-License-Identifier:\n", "");
    is("# SPDX-License-Identifier: (MIT\n# the Apache License, Version 2.0\n",
       "Apache-2.0");
    is("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
       "\n\n\n\n\n\n\n\n# SPDX-License-Identifier: MIT\n", "");
}

/* The texts that Debian has. */
static void
texts(void)
{
    static const char *const files[][2] = {
        { "Apache-2.0", "Apache-2.0" }, { "GPL-2", "GPL-2.0-only" },
        { "GPL-3", "GPL-3.0-only" }, { "LGPL-2", "LGPL-2.0-only" },
        { "LGPL-2.1", "LGPL-2.1-only" }, { "LGPL-3", "LGPL-3.0-only" },
        { "MPL-2.0", "MPL-2.0" }, { "BSD", "BSD-3-Clause" },
        { "CC0-1.0", "CC0-1.0" },
    };
    size_t read = 0;
    char path[80];
    struct err e;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct buf text, got;

        snprintf(path, sizeof(path), "/usr/share/common-licenses/%s",
                 files[i][0]);
        buf_init(&text);
        buf_init(&got);
        if (file_read(&text, path, 1 << 20, &e) == 0) {
            CHECK(license_of_text(text.data, text.len, &got));
            CHECK_STR(got.data, files[i][1]);
            read++;
        }
        buf_release(&text);
        buf_release(&got);
    }
    if (read == 0)
        SKIP("no /usr/share/common-licenses");
}

static bool
allows(const char *text)
{
    static const char *const list[] = { "MIT", "BSD-3-Clause" };

    return license_allows(text, strlen(text), list, 2);
}

static void
expressions(void)
{
    char deep[200];

    CHECK(allows("MIT") && allows("mit") && allows(" MIT "));
    CHECK(!allows("Apache-2.0") && !allows("") && !allows("MIT-0"));
    CHECK(allows("MIT OR GPL-2.0-only") && allows("GPL-2.0-only or MIT"));
    CHECK(!allows("MIT AND GPL-2.0-only") && allows("MIT AND BSD-3-Clause"));
    CHECK(allows("(GPL-2.0-only AND MIT) OR BSD-3-Clause"));
    CHECK(!allows("GPL-2.0-only AND (MIT OR BSD-3-Clause)"));
    CHECK(allows("MIT WITH x-exception") && !allows("MIT WITH"));
    CHECK(!allows("MIT OR") && !allows("(MIT") && !allows("MIT)"));
    CHECK(!allows("MIT MIT") && !allows("MIT / x") && !allows("()"));
    memset(deep, '(', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    CHECK(!allows(deep));
}

static bool
is_file(const char *name)
{
    return license_is_file(name, strlen(name));
}

static bool
is_bot(const char *who)
{
    return author_is_bot(who, strlen(who));
}

static void
names(void)
{
    CHECK(is_file("LICENSE") && is_file("license.md") && is_file("COPYING"));
    CHECK(is_file("LICENSE-MIT") && is_file("COPYING.LIB"));
    CHECK(is_file("LICENCE.txt") && is_file("UNLICENSE"));
    CHECK(!is_file("license.c") && !is_file("LICENSES") && !is_file(""));
    CHECK(!is_file("licensed.md") && !is_file("mylicense"));
    CHECK(is_bot("dependabot[bot] <49699333+x@users.noreply.github.com>"));
    CHECK(is_bot("release-bot <a@b.org>") && is_bot("Renovate Bot <a@b>"));
    CHECK(!is_bot("Talbot <talbot@b.org>") && !is_bot("") && !is_bot("bot"));
    CHECK(!is_bot("Ada Lovelace <ada@robot.org>"));
}

static const struct test tests[] = {
    { "notices", notices },
    { "tags", tags },
    { "whole texts", texts },
    { "expressions", expressions },
    { "names of files and programs", names },
};

int
main(void)
{
    return test_run("license", tests, sizeof(tests) / sizeof(tests[0]));
}
