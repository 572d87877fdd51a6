#!/usr/bin/env python3
"""A GGUF file with a tokenizer and nothing else.

    gguf_tokenizer.py tokenizer.json OUT.gguf MODEL PRE [CHAT-TEMPLATE]

The tokens are those of a byte-level tokenizer.json; added ones are control
tokens, the first of which is named as the one that texts begin with, the last
as the one that they end with.
"""
import json
import struct
import sys

U32, I32, BOOL, STRING, ARRAY = 4, 5, 7, 8, 9
keys = []


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def put(name, kind, value):
    keys.append(text(name) + struct.pack("<I", kind) + value)


def array(name, kind, items):
    put(name, ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


source, out, model, pre, *template = sys.argv[1:]
with open(source) as f:
    whole = json.load(f)
added = {a["id"]: a["content"] for a in whole["added_tokens"]}
tokens = sorted(whole["model"]["vocab"].items(), key=lambda t: t[1])
put("general.architecture", STRING, text("llama"))
put("tokenizer.ggml.model", STRING, text(model))
put("tokenizer.ggml.pre", STRING, text(pre))
array("tokenizer.ggml.tokens", STRING, [text(t) for t, _ in tokens])
array("tokenizer.ggml.token_type", I32,
      [struct.pack("<i", 3 if i in added else 1) for _, i in tokens])
array("tokenizer.ggml.merges", STRING,
      [text(" ".join(m)) for m in whole["model"]["merges"]])
if added:
    put("tokenizer.ggml.bos_token_id", U32, struct.pack("<I", min(added)))
    put("tokenizer.ggml.eos_token_id", U32, struct.pack("<I", max(added)))
if template:
    put("tokenizer.chat_template", STRING, text(template[0]))
head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(keys)
with open(out, "wb") as f:
    f.write(head + bytes(-len(head) % 32))
