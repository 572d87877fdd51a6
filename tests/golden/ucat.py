#!/usr/bin/env python3
"""Writes lib/text/ucat_data.c: general category and script of each code
point as the regular expressions of Hugging Face's tokenizers have them (seen:
0.23.3, Oniguruma with Unicode 16), found as in uclass.py: by trying them.

    python3 tests/golden/ucat.py > lib/text/ucat_data.c

A value is the category's place in CATEGORIES, 32 times the script's in
SCRIPTS (0: none of these), 1024 for \\w, 2048 for what the pre-tokenizer
Punctuation splits at.
"""
from tokenizers import Regex
from tokenizers import pre_tokenizers

CATEGORIES = ("Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf "
              "Pi Po Ps Sc Sk Sm So Zl Zp Zs").split()
SCRIPTS = ["", "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari",
           "Georgian", "Greek", "Han", "Hangul", "Hebrew", "Hiragana",
           "Katakana", "Latin", "Tamil", "Thai"]
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
value = [0] * 0x110000


def probe(split, bit):
    for at in range(0, len(points), 512):
        part = points[at:at + 512]
        text = "".join(chr(c) for c in part)
        for _, (a, b) in split.pre_tokenize_str(text):
            for i in range(a, b):
                value[part[i]] += bit


def probe_regex(pattern, bit):
    """Removes what does not match, so that what is left matches."""
    probe(pre_tokenizers.Split(Regex(pattern), "removed", invert=True), bit)


def probe_punctuation():
    split = pre_tokenizers.Punctuation("merged_with_next")
    for at in range(0, len(points), 512):
        part = points[at:at + 512]
        text = "".join("x" + chr(c) + "x" for c in part)
        for _, (a, b) in split.pre_tokenize_str(text):
            if a % 3 == 1:
                value[part[a // 3]] += 2048


for i, name in enumerate(CATEGORIES):
    if name not in ("Cn", "Cs"):
        probe_regex(r"\p{%s}" % name, i)
for i, name in enumerate(SCRIPTS):
    if name:
        probe_regex(r"\p{%s}" % name, 32 * i)
probe_regex(r"\w", 1024)
probe_punctuation()
for c in range(0xD800, 0xE000):
    value[c] = CATEGORIES.index("Cs")

runs = []
for c in range(0x110000):
    if not runs or runs[-1][1] != value[c]:
        runs.append((c, value[c]))
print("/* ucat_data.c - category and script of each code point: a table, so")
print(" * one long file; made by tests/golden/ucat.py, which says how. */")
print('#include "text/ucat.h"\n')
for what, names in (("category", CATEGORIES), ("script", SCRIPTS)):
    print("const char *const ucat_%s[] = {" % what)
    line = "   "
    for name in names:
        item = ' "%s",' % name
        if len(line) + len(item) > 80:
            print(line)
            line = "   "
        line += item
    print(line + "\n    NULL\n};\n")
print("const struct ucat_run ucat_run[] = {")
line = "   "
for i, (first, v) in enumerate(runs):
    end = runs[i + 1][0] if i + 1 < len(runs) else 0x110000
    item = " {%d,%d}," % (end - first, v)
    if len(line) + len(item) > 80:
        print(line)
        line = "   "
    line += item
print(line)
print("};\n")
print("const size_t ucat_n_runs = sizeof(ucat_run) / sizeof(ucat_run[0]);")
