#!/usr/bin/env python3
"""How Hugging Face's tokenizers cuts texts, for tests/unit/pretok.c.

    python3 tests/golden/pretok.py > tests/golden/pretok.json

Needs `tokenizers` (seen: 0.23.3). Cases are [pre-tokenizer, [[text, pieces],
...]]; pieces are spelled as ByteLevel spells bytes, with a blank between. The
first are those of models, by name in MODELS; then come steps one by one, then
expressions and sequences made at random.

    python3 tests/golden/pretok.py --fuzz ENCODE [N [SEED]]

compares N random ones with ENCODE (build/bench/encode) instead.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Regex, Tokenizer, models  # noqa: E402
from tokenizers import pre_tokenizers as pre  # noqa: E402

sys.path.insert(0, os.path.dirname(__file__))
import fuzz  # noqa: E402

BYTES = pre.ByteLevel(add_prefix_space=False, use_regex=False)
GPT2 = pre.ByteLevel(add_prefix_space=False)
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
LOWER = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
CASED = (r"[^\r\n\p{L}\p{N}]?[" + UPPER + "]*[" + LOWER + "]+%s|"
         r"[^\r\n\p{L}\p{N}]?[" + UPPER + "]+[" + LOWER + "]*%s|")
CASED_HAN = CASED.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]")

# Expressions of models, by who has them.
MODELS = {
    "gpt-2 in a split": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|"
    r" ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt-2, possessive": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++|"
    r" ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "qwen2": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "qwen3.5": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + TAIL,
    "llama-3": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "cl100k, possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|"
    r"\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": CASED % (CONTRACTION + "?", CONTRACTION + "?") +
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + TAIL,
    "tekken": CASED % ("", "") +
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + TAIL,
    "kimi": r"[\p{Han}]+|" + CASED_HAN % (CONTRACTION + "?",
                                          CONTRACTION + "?") +
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL,
    "bloom": " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
}
DEEPSEEK = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
            "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
            " ?[\\p{P}\\p{S}]+[\r\n]*|" + TAIL]
DEEPSEEK_CODER = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"\s+$",
                  "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"]


def split(pattern, behavior="isolated", invert=False):
    return pre.Split(Regex(pattern), behavior, invert)


def known():
    out = [pre.Sequence([split(x), BYTES]) for x in MODELS.values()]
    out.append(pre.Sequence([split(x) for x in DEEPSEEK] + [BYTES]))
    out.append(pre.Sequence([split(x) for x in DEEPSEEK_CODER] +
                            [pre.Digits(True), BYTES]))
    out.append(pre.Sequence([ # Falcon's
        pre.Punctuation("contiguous"), GPT2, pre.Digits(False),
        split("[0-9][0-9][0-9]")]))
    out.append(pre.Sequence([pre.Digits(True), GPT2]))
    out += [GPT2, BYTES, pre.ByteLevel(), pre.ByteLevel(use_regex=False)]
    out.append(pre.Sequence([split(" "), pre.ByteLevel()]))
    out.append(pre.Sequence([pre.Sequence([]), pre.Sequence(
        [pre.Sequence([GPT2])]), pre.Sequence([])]))
    out.append(pre.Sequence([split(MODELS["qwen2"], "removed", True), BYTES]))
    for behavior in BEHAVIORS:
        for invert in (False, True):
            out.append(pre.Sequence([split(r"\s|a", behavior, invert),
                                     BYTES]))
        out.append(pre.Sequence([pre.Split(" ", behavior), BYTES]))
        out.append(pre.Sequence([pre.Punctuation(behavior), BYTES]))
    out.append(pre.Sequence([pre.Split("a.", "isolated", True), GPT2]))
    out.append(pre.Sequence([pre.Digits(False), BYTES]))
    out.append(pre.Sequence([pre.WhitespaceSplit(), BYTES]))
    out.append(pre.Sequence([pre.Whitespace(), BYTES]))
    out.append(pre.Sequence([pre.BertPreTokenizer(), BYTES]))
    out.append(pre.Sequence([pre.CharDelimiterSplit("-"), BYTES]))
    return out


BEHAVIORS = ["isolated", "removed", "merged_with_previous",
             "merged_with_next", "contiguous"]
TEXTS = [
    " ", "  a", "a\n  b  ", "a  1 12345", "don't I'LL 'S'\u017f it'DX",
    "HTTPServer camelCase XMLHttp2 \u01c5a \u4e2d\u6587abc ABC\u4e2d",
    "Fu\u0308hrer \u0301x e\u0301 \u0301", "  \n\n  x /* */\r\n//\n/",
    "x\u00bd\u00b2\u2167\U00011de1y \u0663\u0664", "\u3042\u30a2\u4e00 1,234",
    "a.b.c  a--b", "\u00a0x\u2003\u0085", "_a_ (x|y) \u2026!", "aaa   aaa",
    "\x00\x1c a", "\U0001f469\u200d\U0001f4bb ok",
]

# ---- made at random ----

SETS = [r"\p{L}", r"\p{N}", r"\s", r"\S", r"\d", r"\w", r"\W", r"\p{Lu}",
        r"\P{L}", r"\p{M}", r"\p{P}", r"\p{S}", r"\p{Han}", r"\p{^L}", r"\h",
        r"\p{Z}", r"\p{Cc}", r"\D"]
CHARS = ["a", "b", "e", "1", "2", " ", "'", ",", "\n", r"\r", r"\n", r"\t",
         "\u00e9", "\u4e2d", r"\.", "-", "=", r"\u0301", r"\x20"]
RANGES = ["a-z", "A-Z", "0-9", "!-/", "\u4e00-\u9fa5", r"\x00-\x1f"]
REPEATS = ["+", "*", "?", "++", "*+", "?+", "+?", "*?", "??", "{1,3}", "{2}",
           "{2,}", "{,2}", "{1,2}?", "{2}?", "{1,2}+"]
PLACES = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]
FOLDED = ["'s|'t", "k", "don't", "ab|c", "[a-z]", "[^s]", r"e\s"]
BEHIND = [r"\s", "a", "[^a]", r"\p{L}|\n", "a|b"]
BITS = ["a", "b", "A", "1", "2", " ", " ", "\n", "'s", "\u4e2d", "\u00e9",
        ",", "-", "e\u0301", "ab", "s", "\r"]


def make_class(r, depth=0):
    out = ""
    for _ in range(r.randrange(1, 4)):
        kind = r.random()
        if kind < 0.4:
            out += r.choice([c for c in CHARS if c != "-"])
        elif kind < 0.7:
            out += r.choice(SETS)
        elif kind < 0.85:
            out += r.choice(RANGES)
        elif depth < 2:
            out += make_class(r, depth + 1)
    negate = r.choice(["", "", "^"])
    if r.random() < 0.15 and not (negate and depth):
        out = (out or "a") + "&&" + r.choice(SETS + ["[^a]", "a-e"])
    return "[" + negate + (out or "a") + "]"


def make_atom(r, depth):
    kind = r.random()
    if kind < 0.3:
        return r.choice(CHARS)
    if kind < 0.5:
        return r.choice(SETS)
    if kind < 0.7:
        return make_class(r)
    if kind < 0.73:
        return "."
    if kind < 0.78:
        return r.choice(PLACES)
    if kind < 0.81:
        return r"(?i:%s)" % r.choice(FOLDED)
    if kind < 0.84:
        return r"%s%s)" % (r.choice(["(?<=", "(?<!"]), r.choice(BEHIND))
    if depth > 2:
        return "x"
    group = r.choice(["(?:", "(?:", "(", "(?=", "(?!", "(?>"])
    return group + make_regex(r, depth + 1) + ")"


def make_repeated(r, depth):
    """No interval of a group: that of one which may be nothing is refused."""
    atom = make_atom(r, depth)
    if r.random() < 0.5:
        return atom
    return atom + r.choice(REPEATS[:9] if atom[0] == "(" else REPEATS)


def make_regex(r, depth=0):
    out = []
    for _ in range(r.choice([1, 1, 2, 3])):
        out.append("".join(make_repeated(r, depth)
                           for _ in range(r.randrange(1, 4))))
    return "|".join(out)


def make_pre(r):
    """A sequence; None for one that is none to tokenizers, either."""
    behavior, invert = r.choice(BEHAVIORS), r.random() < 0.3
    regex = make_regex(r)
    try:
        steps = [split(regex, behavior, invert)]
    except Exception:
        return None
    if r.random() < 0.1:
        steps = [pre.Split(r.choice([" ", "ab", "\n", "."]), behavior,
                           invert)]
    if r.random() < 0.2:
        steps.append(pre.Digits(r.random() < 0.5))
    if r.random() < 0.1:
        steps.insert(0, pre.Punctuation(r.choice(BEHAVIORS)))
    if r.random() < 0.1:
        steps.insert(0, pre.WhitespaceSplit())
    steps.append(pre.ByteLevel(add_prefix_space=r.random() < 0.3,
                               use_regex=r.random() < 0.3))
    if r.random() < 0.15:
        steps.append(r.choice([
            pre.Digits(False), split("[0-9][0-9][0-9]"), split(r"\p{L}+"),
            split("\u0120", "merged_with_next")]))
    return pre.Sequence(steps)


def make_texts(r, n):
    return [fuzz.text(r, []) if r.random() < 0.4 else
            "".join(r.choice(BITS) for _ in range(r.randrange(14)))
            for _ in range(n)]


def pieces(p, text):
    return [s for s, _ in p.pre_tokenize_str(text)]


def case(p, texts):
    settings = json.loads(p.__getstate__())
    return [settings, [[x, " ".join(pieces(p, x))] for x in texts]]


def compare(encode, p, texts, path):
    """None if it is refused, else whether encode cuts alike."""
    want = [pieces(p, x) for x in texts]
    vocab = {c: i for i, c in enumerate(sorted(pre.ByteLevel.alphabet()))}
    for s in (s for cut in want for s in cut):
        vocab.setdefault(s, len(vocab))
    t = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    t.pre_tokenizer = p
    t.save(path)
    data = b"".join(struct.pack("<I", len(s)) + s
                    for s in (x.encode() for x in texts))
    run = subprocess.run([encode, path, "--ids"], input=data,
                         capture_output=True)
    if run.returncode in (4, 5): # 5: over the limits
        print("refused: " + run.stderr.decode().strip()[-70:])
        return None
    got = run.stdout.decode().split("\n")[:-1]
    for x, cut, line in zip(texts, want, got):
        if [vocab[s] for s in cut] != [int(i) for i in line.split()]:
            print("%s\n  %r\n  want %s" % (t.pre_tokenizer, x, cut))
            return False
    return run.returncode == 0 and len(got) == len(texts)


def fuzz_steps(encode, n, seed):
    r = random.Random(seed)
    count = {True: 0, False: 0, None: 0}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(n):
            p = make_pre(r)
            try:
                done = p and compare(encode, p, make_texts(r, 12),
                                     os.path.join(folder, "t.json"))
            except BaseException:  # where Oniguruma gives up
                continue
            count[done] += p is not None
    print("%d alike, %d not, %d refused" % (count[True], count[False],
                                            count[None]))
    return 1 if count[False] or not count[True] else 0


def main():
    r = random.Random(3)
    cases = [case(p, TEXTS + make_texts(r, 2)) for p in known()]
    while len(cases) < 140:
        p = make_pre(r)
        try:
            cases += [case(p, make_texts(r, 3))] if p else []
        except BaseException:  # where Oniguruma gives up
            continue
    print('{\n "_comment": "made by tests/golden/pretok.py",\n "cases": [')
    print(",\n".join("  " + json.dumps(c, separators=(",", ":"),
                                        ensure_ascii=False) for c in cases))
    print(" ]\n}")


if len(sys.argv) > 2 and sys.argv[1] == "--fuzz":
    numbers = [int(x) for x in sys.argv[3:]] + [300, 1]
    sys.exit(fuzz_steps(sys.argv[2], numbers[0],
                        numbers[1] if len(sys.argv) > 4 else 1))
main()
