#!/usr/bin/env python3
"""Compares the encoder with Hugging Face's tokenizers on random texts.

    python3 tests/golden/fuzz.py [-n TEXTS] [-s SEED] ENCODE TOKENIZER.json...

ENCODE is build/bench/encode. Texts are strings of characters drawn so that
every alternative of the pre-tokenizers, normalisation and the added tokens of
the file meet often; the first one that differs is printed and the status is
1.
"""
import argparse
import os
import random
import struct
import subprocess
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

WORDS = ["the", "return", "static", " int", "don't", "I'LL", "we're", "'s",
         "'S", "'\u017f", "'ve", "'RE", "it'd", "'", "''", "caf\u00e9",
         "cafe\u0301", "Fu\u0308hrer", "\uac00\u11a8", "\u1100\u1161",
         "\u4e2d\u6587", "\U0001f600", "\U0001f469\u200d\U0001f4bb",
         "1234567", "\u0663\u0664", "\u00bd", "\u2167", "\U00011de1",
         "    ", "\t\t", "\n\n", "\r\n", " \n ", "\u00a0", "\u3000", "\u0085",
         "\u2028", "\ufeff", "\u200b", "()", "{};", "->", "==", "// ", "/*",
         "\u0345\u0301", "\u212b", "\u1e9b\u0323", "\U00040000", "\x00",
         "\x1c", "\x7f", "\u2581", " \u2581x", "<|endoftext|>", "<", "|>",
         "x_1", "0x7fff"]


def char(r):
    kind = r.random()
    if kind < 0.35:
        return chr(r.randrange(0x20, 0x7f))
    if kind < 0.5:
        return r.choice(" \t\n\r\x0b\x0c\u0085\u00a0\u3000  \n")
    if kind < 0.6:
        return chr(r.randrange(0x300, 0x370))
    if kind < 0.7:
        return chr(r.randrange(0x80, 0x600))
    if kind < 0.85:
        return chr(r.randrange(0x600, 0xd800))
    while True:
        c = r.randrange(0xe000, 0x110000 if kind > 0.97 else 0x20000)
        return chr(c)


def text(r, added):
    out = []
    for _ in range(r.randrange(1, 30)):
        kind = r.random()
        if kind < 0.45:
            out.append(r.choice(WORDS))
        elif kind < 0.53 and added:
            out.append(r.choice(added))
        elif kind < 0.6:
            out.append(r.choice(" \n\ta-1\u0301'") * r.randrange(1, 40))
        else:
            out.append("".join(char(r) for _ in range(r.randrange(1, 8))))
    return "".join(out)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("-n", type=int, default=2000)
    a.add_argument("-s", type=int, default=1)
    a.add_argument("encode")
    a.add_argument("tokenizer", nargs="+")
    a = a.parse_args()
    for path in a.tokenizer:
        t = Tokenizer.from_file(path)
        added = [x.content for x in t.get_added_tokens_decoder().values()]
        r = random.Random(a.s)
        texts = [text(r, added) for _ in range(a.n)]
        data = b"".join(struct.pack("<I", len(s)) + s
                        for s in (x.encode() for x in texts))
        got = subprocess.run([a.encode, path, "--ids"], input=data,
                             stdout=subprocess.PIPE, check=True).stdout
        got = got.decode().split("\n")[:-1]
        if len(got) != len(texts):
            sys.exit("%s: %d answers of %d" % (path, len(got), len(texts)))
        for x, line in zip(texts, got):
            want = t.encode(x, add_special_tokens=False).ids
            if [int(i) for i in line.split()] != want:
                print("%s: %r\n  got  %s\n  want %s" % (
                    path, x, line, " ".join(map(str, want))))
                return 1
        print("%s: %d texts alike" % (path, len(texts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
