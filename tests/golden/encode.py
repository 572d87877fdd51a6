#!/usr/bin/env python3
"""What Hugging Face's tokenizers makes of texts, for tests/unit/encode.c.

    python3 tests/golden/encode.py > tests/golden/encode.json

Needs `tokenizers` (seen: 0.23.3) and the tokenizer files of GRAFT_SHARED
(../shared). "files" are small tokenizers made here, each for some feature;
"cases" are [file or folder of GRAFT_SHARED/tokenizers, text, ids as
encode(text, add_special_tokens=False) gives them]; "train" are trainings:
[texts, special tokens, vocabulary size, least frequency, file that
BpeTrainer gives], by train_from_iterator.
"""
import json
import os
import random
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import (  # noqa: E402
    AddedToken, Regex, Tokenizer, decoders, models, normalizers,
    pre_tokenizers, trainers)

sys.path.insert(0, os.path.dirname(__file__))
import fuzz  # noqa: E402

SHARED = os.environ.get("GRAFT_SHARED", "../shared")
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
         r"\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
EDGES = [
    "", " ", "  ", "\n", " \n", "\n ", "a  1", "a  1 ", "  1", "1  ",
    "x\u00bd\u00b2\u2167\U00011de1y", "12345678", "1 2 3", "\u0663\u0664",
    "don't DON'T I'Ll 'S '\u017f ''s 'v 'ver", "a\u180eb\u200bc\ufeffd",
    "a\u0085b\u00a0c\u3000d", "\u3000a", "\x1c\x1d a", "\t\tx\t y",
    "Fu\u0308hrer F\u00fchrer", "e\u0301<|endoftext|>\u0301e",
    "\u0344 \u212b \u2126 \u1e9b\u0323 \ud55c\u1112\u1161\u11ab",
    "a\u0345\u0301\u0323", "\U00011938\U00011935\U00011930",
    "x\U00040000y", "\U000e0041", "\u2028\u2029\r\n\r\n x", "a" * 70,
    " " * 70 + "x", "=" * 65, "\n" * 40, "ab" * 40, " " * 31 + "x",
    "\t" * 11 + "x", "<|endoftext|><|endoftext|> <|endoftext|",
    "if (x == NULL)\n        return -1;\n\n", "caf\u00e9 \u4e2d\u6587",
    "\U0001f469\u200d\U0001f4bb ok", "a\rb\r\nc", "...\n\n\n  x", "x\x00y",
]
STRIP = ["a[L] b", "a  [L]  b", "a  [R]  b", " [R]  [L] x", "x[W]y", "[W]",
         "x [W] y", "x[W] y", "\u00e9[W]", ".[W].", "[W][W]", "_[W]",
         "\u0301[W]", "[L][R]  [L]", "\u3000[L]\u00a0", "[R]\n\n[W]",
         "caf\u00e9 cafe\u0301 CAF\u00c9", "xcafe\u0301y", "[N]", "a[N]b",
         "[LL]", "[L [R", "[[L]]", "\u2581the int", " \u2581<PRE> x<s> in",
         "the</s>int <s>", "  the  [R] \u2581 x"]


# What NFKC and NFKD take apart, beside what composes with it; U+32FF is newer
# than their data.
COMPAT = ["\ufb01x \u2460\u00bd\u2122\u33a5 \uff21\u0301\uff11",
          "\uff76\uff9e\u3099\uff8a\uff9f \u30ab\uff9e", "\ufdfa \u32ff",
          "e\u00b4 \u017f\u0307\u0323 \u1e9b\u0323", "\uac01\u11a8\uffa1",
          "caf\u00e9 cafe\u0301 CAF\u00c9\u2460\u2461", "\u00a0\u2003x\u3000",
          "\u0958\u0915\u093c \u2adc \U0001d15e\U0001d7ce\U0002f81a",
          "a\u0315\u0300\u05ae\u0300b \u0f71\u0f72\u0f73", "\u1fef\u2126"]


def vocab(merges, missing="", extra=()):
    v = {c: i for i, c in enumerate(c for c in ALPHABET if c not in missing)}
    for a, b in merges:
        v.setdefault(a + b, len(v))
    for x in extra:
        v.setdefault(x, len(v))
    return v


MERGES = [("e", "r"), ("\u0120", "t"), ("h", "e"), ("\u0120t", "he"),
          ("a", "a"), ("aa", "aa"), ("\u0120", "\u0120"), ("1", "2"),
          ("\u00c3", "\u00a9"), ("f", "\u00c3\u00a9"), ("'", "s"),
          ("c", "a"), ("ca", "f\u00c3\u00a9"), ("\u010a", "\u010a"),
          ("=", "="), ("==", "=="), ("i", "n"), ("in", "t")]


def small():
    """Tokenizers, each with something that the shared ones lack."""
    files = {}

    def make(name, pre, normalizer=None, added=(), **model):
        args = {"merges": MERGES}
        args.update(model)
        missing = args.pop("missing", "")
        extra = args.pop("extra", ())
        t = Tokenizer(models.BPE(vocab=vocab(args["merges"], missing, extra),
                                 **args))
        t.pre_tokenizer = pre
        t.decoder = decoders.ByteLevel()
        if normalizer:
            t.normalizer = normalizer
        for token, special in added:
            (t.add_special_tokens if special else t.add_tokens)([token])
        files[name] = t.to_str()

    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), gpt2])

    def split(count):
        return pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(REGEX % count), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False,
                                     use_regex=False)])

    make("strips", gpt2, added=[
        (AddedToken("[L]", lstrip=True, normalized=False), True),
        (AddedToken("[R]", rstrip=True, normalized=False), False),
        (AddedToken("[W]", single_word=True), False),
        (AddedToken("[LL]", lstrip=True, rstrip=True), False),
        (AddedToken("[N]", normalized=True), True)])
    make("nfc", split(""), normalizers.NFC(), added=[
        (AddedToken("cafe\u0301", normalized=True), False),
        (AddedToken("<|endoftext|>", normalized=False), True)])
    for form in ("NFD", "NFKC", "NFKD"):
        make(form.lower(), split(""), getattr(normalizers, form)(), added=[
            (AddedToken("caf\u00e9", normalized=True), False),
            (AddedToken("\u2460", normalized=False), True)])
    make("nfkc-replace", split(""), normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace("1", "12")]))
    make("llama3", split("{1,3}"), ignore_merges=True,
         extra=["return", "\u0120return", "123"])
    make("lacking", digits, missing="\u00f1q\u0122")
    return files


BLANK = "\u2581"
WORDS = [BLANK + "t", "he", BLANK + "the", "in", "int", BLANK + "int", "aa",
         "aaaa", BLANK * 2, BLANK * 4, "==", "();", BLANK + "(", "er",
         "re", "ret", "\u00e9\u00e9", "\u4e2d\u6587", "x,", "12"]


def char_model(missing=(), **settings):
    """BPE over characters: bytes, characters, and words of pairs."""
    tokens = ["<unk>"] + [b for b in ("<0x%02X>" % i for i in range(256))
                          if b not in missing]
    tokens += sorted(set("".join(WORDS)) | set("abcdefgrstuxyz.,-[]<>LRN"))
    merges = []
    for word in WORDS:
        for i in range(1, len(word)):
            if word[:i] in tokens and word[i:] in tokens:
                merges.append((word[:i], word[i:]))
                if word not in tokens:
                    tokens.append(word)
        if word not in tokens:
            merges += [(word[:i], word[i]) for i in range(1, len(word))]
            tokens += [word[:i + 1] for i in range(1, len(word))
                       if word[:i + 1] not in tokens]
    settings = {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>",
                **settings}
    return models.BPE(vocab={x: i for i, x in enumerate(tokens)},
                      merges=merges, **settings)


def char_files():
    """As small(), of the models that are not byte-level."""
    replace = normalizers.Replace(" ", BLANK)
    prepend = normalizers.Sequence([normalizers.Prepend(BLANK), replace])
    undo = [decoders.Replace(BLANK, " "), decoders.ByteFallback(),
            decoders.Fuse()]
    odd = [AddedToken("[N]", normalized=True),
           AddedToken("[L]", lstrip=True, normalized=True),
           AddedToken("[R]", rstrip=True, normalized=True),
           AddedToken("[LL]", lstrip=True, rstrip=True, normalized=False),
           AddedToken("[W]", single_word=True, normalized=True),
           AddedToken(BLANK + "<PRE>", normalized=False)]
    no_e2 = ["<0xE2>", "<0xCC>"]
    files = {}

    def make(name, model, normalizer, pre=None, strip=False):
        t = Tokenizer(model)
        if normalizer:
            t.normalizer = normalizer
        if pre:
            t.pre_tokenizer = pre
        t.decoder = decoders.Sequence(
            undo + ([decoders.Strip(" ", 1, 0)] if strip else []))
        t.add_special_tokens(["<s>", "</s>"])
        t.add_tokens(odd)
        files[name] = t.to_str()

    def metaspace(scheme, split):
        return pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)

    make("llama2", char_model(), prepend, strip=True)
    make("gemma", char_model(), replace, pre_tokenizers.Split(
        " ", "merged_with_previous"))
    make("llama2-nfc", char_model(), normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace("\n", "\n\n"), prepend]))
    make("mistral", char_model(), None, metaspace("first", False))
    make("always", char_model(), None, metaspace("always", True))
    make("never", char_model(), normalizers.Sequence([]),
         metaspace("never", True))
    make("bytes-lacking", char_model(no_e2), prepend)
    make("unknown", char_model(byte_fallback=False, fuse_unk=False), replace)
    make("vanishing", char_model(no_e2, unk_token=None), replace)
    return files


def cases(files):
    tokenizers = {n: Tokenizer.from_str(s) for n, s in files.items()}
    for name in ("gpt2", "phi-2", "starcoder2", "qwen2.5", "phi3-mini"):
        path = os.path.join(SHARED, "tokenizers", name, "tokenizer.json")
        tokenizers[name] = Tokenizer.from_file(path)
    out = []
    for name, t in tokenizers.items():
        r = random.Random(11)
        added = [x.content for x in t.get_added_tokens_decoder().values()]
        texts = EDGES + [fuzz.text(r, added) for _ in range(25)]
        texts += COMPAT if name.startswith("nf") else []
        texts += STRIP if name in ("strips", "nfc", *char_files()) else []
        for x in texts:
            ids = t.encode(x, add_special_tokens=False).ids
            out.append([name, x, ids])
    return out


def train():
    source = open(__file__, encoding="utf-8").read()
    r = random.Random(5)
    noise = [fuzz.text(r, []) for _ in range(40)]
    few = ["".join(r.choice("ab ") for _ in range(60)) for _ in range(8)]
    jobs = [
        [[source], ["<|endoftext|>"], 400, 0],
        [noise, [], 420, 2],
        [few, ["<a>", "ab", "<b\"\\>"], 300, 0],
        [["aaaa aaaaa aaaaaaa", "  indented\n  twice\n"], [], 290, 0],
        [["x"], ["<|endoftext|>"], 300, 0],
    ]
    for job in jobs:
        texts, special, size, least = job
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.decoder = decoders.ByteLevel()
        t.train_from_iterator(texts, trainers.BpeTrainer(
            vocab_size=size, min_frequency=least, special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False))
        job.append(t.to_str(pretty=True))
    return jobs


def main():
    files = small()
    jobs = train()
    files["trained"] = jobs[0][4]
    files.update(char_files())
    print('{\n "_comment": "made by tests/golden/encode.py",\n "files": {')
    print(",\n".join("  %s: %s" % (json.dumps(n), json.dumps(s))
                     for n, s in files.items()))
    print(' },\n "cases": [')
    print(",\n".join("  " + json.dumps(c, separators=(",", ":"))
                     for c in cases(files)))
    print(' ],\n "train": [')
    print(",\n".join("  " + json.dumps(j, separators=(",", ":"))
                     for j in jobs))
    print(" ]\n}")


main()
