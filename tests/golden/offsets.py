#!/usr/bin/env python3
"""Which bytes tokens stand for, as Hugging Face's tokenizers says, for
tests/unit/offsets.c.

    python3 tests/golden/offsets.py > tests/golden/offsets.json

Needs `tokenizers` (seen: 0.23.3), encode.json beside it and the tokenizer
files of GRAFT_SHARED (../shared). Texts are those of encode.json; a case is
[file or folder of GRAFT_SHARED/tokenizers, text, starts and ends in bytes in
turn]. Blanks that the ByteLevel post-processor trims off are of the token
here.
"""
import json
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, processors  # noqa: E402

SHARED = os.environ.get("GRAFT_SHARED", "../shared")
HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["strips", "nfc", "nfd", "nfkc", "trained", "llama2", "gemma",
         "mistral", "always", "unknown", "phi-2", "starcoder2", "qwen2.5",
         "phi3-mini"]
LONGEST = 80  # characters of a text


def opened(name, files):
    if name in files:
        t = Tokenizer.from_str(files[name])
    else:
        t = Tokenizer.from_file(os.path.join(
            SHARED, "tokenizers", name, "tokenizer.json"))
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def in_bytes(t, text):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    got = t.encode(text, add_special_tokens=False).offsets
    return [at[x] for pair in got for x in pair]


def main():
    with open(os.path.join(HERE, "encode.json"), encoding="utf-8") as f:
        golden = json.load(f)
    tokenizers = {}
    cases = []
    for name, text, _ in golden["cases"]:
        if name not in NAMES or not 0 < len(text) <= LONGEST:
            continue
        if name not in tokenizers:
            tokenizers[name] = opened(name, golden["files"])
        cases.append([name, text, in_bytes(tokenizers[name], text)])
    print('{\n "_comment": "made by tests/golden/offsets.py",\n "cases": [')
    print(",\n".join("  " + json.dumps(c, separators=(",", ":"))
                     for c in cases))
    print(" ]\n}")


main()
