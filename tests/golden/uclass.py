#!/usr/bin/env python3
"""Writes lib/text/uclass_data.c: what Hugging Face's tokenizers takes each
code point for. Nothing comes from a Unicode database: every code point is put
through `tokenizers` (seen: 0.23.3, whose regular expressions have Unicode
16 classes and whose NFC is older) and what it does is written down.

    python3 tests/golden/uclass.py > lib/text/uclass_data.c

Flags: 1 \\p{L}, 2 \\p{N}, 4 \\s, 8 Digits splits at it, 16 \\w of an added
token's single_word, 32 NFC may change a text that has it, 64 NFC and NFD look
at it at all, 128 NFKC and NFKD change it where those do not.
"""
from tokenizers import AddedToken, Tokenizer, models
from tokenizers import normalizers, pre_tokenizers

from points import matches, pieces, points, print_runs

L, N, S, DIGIT, WORD, WORK, ACTIVE, COMPAT = (
    1 << i for i in range(8))
flag = [0] * 0x110000


def probe_regex(bit, pattern):
    for c in matches(pattern):
        flag[c] |= bit


def probe_digits():
    split = pre_tokenizers.Digits(individual_digits=True)
    for part, a, b in pieces(split, "x", "x"):
        if b - a == 1 and a % 3 == 1:
            flag[part[a // 3]] |= DIGIT


def probe_word():
    """A single_word token is not found beside a word character."""
    t = Tokenizer(models.BPE(vocab={"Q": 0}, merges=[]))
    t.add_tokens([AddedToken("QQQ", single_word=True)])
    for c in points:
        if 1 not in t.encode("QQQ" + chr(c)).ids:
            flag[c] |= WORD


def probe_nfc():
    nfc, nfd = normalizers.NFC(), normalizers.NFD()
    for c in points:
        s = chr(c)
        d = nfd.normalize_str(s)
        if d != s:
            flag[c] |= ACTIVE
            for i, part in enumerate(d):
                flag[ord(part)] |= ACTIVE | (WORK if i else 0)
        if nfc.normalize_str(s) != s:
            flag[c] |= WORK
        # U+0345 has class 240, U+0301 class 230.
        if (nfd.normalize_str("\u0345" + s) != "\u0345" + d or
                nfd.normalize_str(s + "\u0301") != d + "\u0301"):
            flag[c] |= ACTIVE | WORK


def probe_nfkd():
    nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
    for c in points:
        if nfkd.normalize_str(chr(c)) != nfd.normalize_str(chr(c)):
            flag[c] |= COMPAT


probe_regex(L, r"\p{L}")
probe_regex(N, r"\p{N}")
probe_regex(S, r"\s")
probe_digits()
probe_word()
probe_nfc()
probe_nfkd()

print("/* uclass_data.c - what each code point is taken for: a table, so one")
print(" * long file; made by tests/golden/uclass.py, which says how. */")
print('#include "text/uclass.h"\n')
print_runs("uclass", flag)
print("const size_t uclass_n_runs = sizeof(uclass_run) / "
      "sizeof(uclass_run[0]);")
