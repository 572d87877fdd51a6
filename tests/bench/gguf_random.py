#!/usr/bin/env python3
"""A GGUF file of the shape of Qwen3-0.6B, its matrices of one type and random:

    gguf_random.py TYPE FILE

A run of random blocks, whose scales are small, is repeated: what a product
takes doesn't depend on the values. The file has no vocabulary."""
import os
import struct
import sys

WIDTH, WIDE, HEADS, KV, HEAD, LAYERS = 1024, 3072, 16, 8, 128, 28
VOCAB, CONTEXT = 151936, 2048
# Number, elements and bytes of a block, where its halves are.
TYPES = {"q4_0": (2, 32, 18, [0]), "q4_1": (3, 32, 20, [0, 2]),
         "q8_0": (8, 32, 34, [0]), "q4_k": (12, 256, 144, [0, 2]),
         "q6_k": (14, 256, 210, [208])}
RUN = 1 << 12
ALIGN = 32

U32, F32, STRING = 4, 6, 8


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def key(name, kind, value):
    packed = text(value) if kind == STRING else struct.pack(
        "<I" if kind == U32 else "<f", value)
    return text(name) + struct.pack("<I", kind) + packed


def keys():
    q = "qwen3."
    return [key("general.architecture", STRING, "qwen3"),
            key(q + "block_count", U32, LAYERS),
            key(q + "context_length", U32, CONTEXT),
            key(q + "embedding_length", U32, WIDTH),
            key(q + "feed_forward_length", U32, WIDE),
            key(q + "attention.head_count", U32, HEADS),
            key(q + "attention.head_count_kv", U32, KV),
            key(q + "attention.key_length", U32, HEAD),
            key(q + "attention.value_length", U32, HEAD),
            key(q + "attention.layer_norm_rms_epsilon", F32, 1e-6),
            key(q + "rope.freq_base", F32, 1e6),
            key(q + "vocab_size", U32, VOCAB),
            key("tokenizer.ggml.model", STRING, "no_vocab")]


def tensors():
    """(name, columns, rows), rows 0 of a vector."""
    yield "token_embd", WIDTH, VOCAB
    yield "output_norm", WIDTH, 0
    for i in range(LAYERS):
        for name, cols, rows in [
                ("attn_norm", WIDTH, 0), ("attn_q", WIDTH, HEADS * HEAD),
                ("attn_k", WIDTH, KV * HEAD), ("attn_v", WIDTH, KV * HEAD),
                ("attn_q_norm", HEAD, 0), ("attn_k_norm", HEAD, 0),
                ("attn_output", HEADS * HEAD, WIDTH), ("ffn_norm", WIDTH, 0),
                ("ffn_gate", WIDTH, WIDE), ("ffn_up", WIDTH, WIDE),
                ("ffn_down", WIDE, WIDTH)]:
            yield "blk.%d.%s" % (i, name), cols, rows


def random_run(size, halves):
    run = bytearray(os.urandom(RUN * size))
    for at in range(0, len(run), size):
        for half in halves:
            struct.pack_into("<e", run, at + half, 2e-4)
    return bytes(run)


def write(kind, path):
    number, unit, size, halves = TYPES[kind]
    run, infos, sizes, at = random_run(size, halves), [], [], 0
    for name, cols, rows in tensors():
        dims = struct.pack("<IQQ", 2, cols, rows) if rows else \
            struct.pack("<IQ", 1, cols)
        infos.append(text(name + ".weight") + dims +
                     struct.pack("<IQ", number if rows else 0, at))
        sizes.append((rows, cols * rows // unit * size if rows else 4 * cols))
        at += -(-sizes[-1][1] // ALIGN) * ALIGN
    pairs = keys()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + \
        b"".join(pairs) + b"".join(infos)
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN))
        for rows, left in sizes:
            end = b"\0" * (-left % ALIGN)
            if not rows:
                f.write(struct.pack("<f", 1) * (left // 4))
                left = 0
            for _ in range(left // len(run)):
                f.write(run)
            f.write(run[:left % len(run)] + end)


if len(sys.argv) != 3 or sys.argv[1] not in TYPES:
    sys.exit("usage: gguf_random.py %s FILE" % "|".join(TYPES))
write(sys.argv[1], sys.argv[2])
