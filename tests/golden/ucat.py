#!/usr/bin/env python3
"""Writes lib/text/ucat_data.c: general category and script of each code
point as the regular expressions of Hugging Face's tokenizers have them (seen:
0.23.3, Oniguruma with Unicode 16), found as in uclass.py: by trying them.

    python3 tests/golden/ucat.py > lib/text/ucat_data.c

A value is the category's place in CATEGORIES, 32 times the script's in
SCRIPTS (0: none of these), 1024 for \\w, 2048 for what the pre-tokenizer
Punctuation splits at.
"""
from tokenizers import pre_tokenizers

from points import matches, pieces, print_list, print_runs

CATEGORIES = ("Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf "
              "Pi Po Ps Sc Sk Sm So Zl Zp Zs").split()
SCRIPTS = ["", "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari",
           "Georgian", "Greek", "Han", "Hangul", "Hebrew", "Hiragana",
           "Katakana", "Latin", "Tamil", "Thai"]
value = [0] * 0x110000
for i, name in enumerate(CATEGORIES):
    if name not in ("Cn", "Cs"):
        for c in matches(r"\p{%s}" % name):
            value[c] += i
for i, name in enumerate(SCRIPTS):
    if name:
        for c in matches(r"\p{%s}" % name):
            value[c] += 32 * i
for c in matches(r"\w"):
    value[c] += 1024
for part, a, b in pieces(pre_tokenizers.Punctuation("merged_with_next"),
                         "x", "x"):
    if a % 3 == 1:
        value[part[a // 3]] += 2048
for c in range(0xD800, 0xE000):
    value[c] = CATEGORIES.index("Cs")

print("/* ucat_data.c - category and script of each code point: a table, so")
print(" * one long file; made by tests/golden/ucat.py, which says how. */")
print('#include "text/ucat.h"\n')
for what, names in (("category", CATEGORIES), ("script", SCRIPTS)):
    print("const char *const ucat_%s[] = {" % what)
    print_list('"%s"' % name for name in names)
    print("    NULL\n};\n")
print_runs("ucat", value)
print("const size_t ucat_n_runs = sizeof(ucat_run) / sizeof(ucat_run[0]);")
