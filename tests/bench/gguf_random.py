#!/usr/bin/env python3
"""A GGUF file of the shape of a model, its matrices of one type and random:

    gguf_random.py TYPE FILE [SHAPE]

SHAPE: qwen3-0.6b, qwen2-0.5b or gpt2-124m. A matrix whose rows are no whole
blocks of 256 has the type that llama.cpp gives it then. A run of random
blocks, whose scales are small, is repeated: what a product takes doesn't
depend on the values. The file has no vocabulary."""
import os
import struct
import sys

# Number, elements and bytes of a block, where its halves are.
TYPES = {"q4_0": (2, 32, 18, [0]), "q4_1": (3, 32, 20, [0, 2]),
         "q5_0": (6, 32, 22, [0]), "q8_0": (8, 32, 34, [0]),
         "q4_k": (12, 256, 144, [0, 2]), "q6_k": (14, 256, 210, [208])}
SHORT = {"q4_k": "q5_0", "q6_k": "q8_0"}
RUN = 1 << 12
ALIGN = 32
U32, F32, STRING = 4, 6, 8


class Qwen:
    """qwen3, or qwen2, which has biases and no norms of heads."""
    context = 2048

    def __init__(self, arch, width, wide, heads, kv, head, layers, vocab):
        self.arch, self.width, self.wide, self.head = arch, width, wide, head
        self.heads, self.kv, self.layers = heads, kv, layers
        self.vocab = vocab

    def keys(self):
        yield "attention.head_count_kv", U32, self.kv
        yield "attention.key_length", U32, self.head
        yield "attention.value_length", U32, self.head
        yield "attention.layer_norm_rms_epsilon", F32, 1e-6
        yield "rope.freq_base", F32, 1e6

    def outside(self):
        yield "token_embd.weight", self.width, self.vocab
        yield "output_norm.weight", self.width, 0

    def layer(self):
        q, kv = self.heads * self.head, self.kv * self.head
        yield "attn_norm.weight", self.width, 0
        for name, rows in [("q", q), ("k", kv), ("v", kv)]:
            yield "attn_%s.weight" % name, self.width, rows
            if self.arch == "qwen2":
                yield "attn_%s.bias" % name, rows, 0
        if self.arch == "qwen3":
            yield "attn_q_norm.weight", self.head, 0
            yield "attn_k_norm.weight", self.head, 0
        yield "attn_output.weight", q, self.width
        yield "ffn_norm.weight", self.width, 0
        yield "ffn_gate.weight", self.width, self.wide
        yield "ffn_up.weight", self.width, self.wide
        yield "ffn_down.weight", self.wide, self.width


class GPT2:
    arch, width, wide, heads, layers = "gpt2", 768, 3072, 12, 12
    vocab, context = 50257, 1024

    def keys(self):
        yield "attention.layer_norm_epsilon", F32, 1e-5

    def outside(self):
        yield "token_embd.weight", self.width, self.vocab
        yield "position_embd.weight", self.width, self.context
        yield from self.both("output_norm", self.width, 0)

    def layer(self):
        yield from self.both("attn_norm", self.width, 0)
        yield from self.both("attn_qkv", self.width, 3 * self.width)
        yield from self.both("attn_output", self.width, self.width)
        yield from self.both("ffn_norm", self.width, 0)
        yield from self.both("ffn_up", self.width, self.wide)
        yield from self.both("ffn_down", self.wide, self.width)

    @staticmethod
    def both(name, cols, rows):
        yield name + ".weight", cols, rows
        yield name + ".bias", rows or cols, 0


SHAPES = {
    "qwen3-0.6b": Qwen("qwen3", 1024, 3072, 16, 8, 128, 28, 151936),
    "qwen2-0.5b": Qwen("qwen2", 896, 4864, 14, 2, 64, 24, 151936),
    "gpt2-124m": GPT2(),
}


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def key(name, kind, value):
    packed = text(value) if kind == STRING else struct.pack(
        "<I" if kind == U32 else "<f", value)
    return text(name) + struct.pack("<I", kind) + packed


def keys(shape):
    q = shape.arch + "."
    return [key("general.architecture", STRING, shape.arch),
            key(q + "block_count", U32, shape.layers),
            key(q + "context_length", U32, shape.context),
            key(q + "embedding_length", U32, shape.width),
            key(q + "feed_forward_length", U32, shape.wide),
            key(q + "attention.head_count", U32, shape.heads),
            key(q + "vocab_size", U32, shape.vocab),
            key("tokenizer.ggml.model", STRING, "no_vocab")] + \
        [key(q + name, kind, value) for name, kind, value in shape.keys()]


def tensors(shape):
    """(name, columns, rows), rows 0 of a vector."""
    yield from shape.outside()
    for i in range(shape.layers):
        for name, cols, rows in shape.layer():
            yield "blk.%d.%s" % (i, name), cols, rows


def random_run(size, halves):
    run = bytearray(os.urandom(RUN * size))
    for at in range(0, len(run), size):
        for half in halves:
            struct.pack_into("<e", run, at + half, 2e-4)
    return bytes(run)


def write(kind, path, shape):
    infos, data, runs, at = [], [], {}, 0
    for name, cols, rows in tensors(shape):
        own = kind if cols % TYPES[kind][1] == 0 else SHORT[kind]
        number, unit, size, halves = TYPES[own]
        dims = struct.pack("<IQQ", 2, cols, rows) if rows else \
            struct.pack("<IQ", 1, cols)
        infos.append(text(name) + dims +
                     struct.pack("<IQ", number if rows else 0, at))
        if own not in runs:
            runs[own] = random_run(size, halves)
        data.append((runs[own], cols * rows // unit * size) if rows else
                    (struct.pack("<f", 1) * cols, 4 * cols))
        at += -(-data[-1][1] // ALIGN) * ALIGN
    pairs = keys(shape)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + \
        b"".join(pairs) + b"".join(infos)
    with open(path, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN))
        for run, left in data:
            end = b"\0" * (-left % ALIGN)
            for _ in range(left // len(run)):
                f.write(run)
            f.write(run[:left % len(run)] + end)


if len(sys.argv) not in (3, 4) or sys.argv[1] not in TYPES or \
        sys.argv[3:] not in [[]] + [[name] for name in SHAPES]:
    sys.exit("usage: gguf_random.py %s FILE [%s]" %
             ("|".join(TYPES), "|".join(SHAPES)))
write(sys.argv[1], sys.argv[2],
      SHAPES[sys.argv[3] if len(sys.argv) == 4 else "qwen3-0.6b"])
