#!/usr/bin/env python3
"""reader.py - an independent reader of streams and sets, made from
graft-stream(5) alone, with nothing but Python and libzstd.

    reader.py PATH...        a JSON line for each segment or set
    reader.py -r PATH...     a JSON line for each record and tensor, too

Everything the page says of a stream is checked. Exit 4 and one line on
stderr at the first thing that is not so.
"""
import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import struct
import subprocess
import sys

BLOCK = 16 << 20
NAME = re.compile(rb"[a-z][a-z0-9_.-]{0,63}")
WORD = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4,
         "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
KINDS = {1: "commit", 2: "file", 3: "doc", 4: "chat"}


class Bad(Exception):
    pass


def need(ok, what):
    if not ok:
        raise Bad(what)


def blake(*parts):
    h = hashlib.blake2b(digest_size=32)
    for part in parts:
        h.update(part)
    return h.digest()


def unzstd(src, raw):
    """The one zstd frame in src, of raw bytes."""
    need(src[:4] == b"\x28\xb5\x2f\xfd", "zstd magic")
    name = ctypes.util.find_library("zstd")
    if not name:
        return subprocess.run(["zstd", "-dc"], input=src, check=True,
                              stdout=subprocess.PIPE).stdout
    lib = ctypes.CDLL(name)
    for fn in (lib.ZSTD_decompress, lib.ZSTD_findFrameCompressedSize):
        fn.restype = ctypes.c_size_t
    need(lib.ZSTD_findFrameCompressedSize(src, ctypes.c_size_t(len(src)))
         == len(src), "not one zstd frame")
    out = ctypes.create_string_buffer(raw)
    n = lib.ZSTD_decompress(out, ctypes.c_size_t(raw), src,
                            ctypes.c_size_t(len(src)))
    need(n == raw, "zstd frame does not decompress")
    return out.raw


def number(word):
    need(re.fullmatch(rb"0|[1-9][0-9]*", word), "number %r" % word)
    return int(word)


def hash_of(word):
    need(re.fullmatch(rb"[0-9a-f]{64}", word), "hash %r" % word)
    return bytes.fromhex(word.decode())


def value(text):
    text.decode("utf-8")
    need(text and not re.search(rb"[\x00-\x1f\x7f]", text), "value")
    return text.decode("utf-8")


class Bytes:
    """A span that is read from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        need(n <= self.left(), "truncated")
        self.at += n
        return self.data[self.at - n:self.at]

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))

    def varint(self):
        v, shift = 0, 0
        while True:
            b = self.take(1)[0]
            need(b or not shift, "varint too long")
            v |= (b & 127) << shift
            shift += 7
            need(v < 1 << 64, "varint too large")
            if b < 128:
                return v

    def string(self, most):
        end = self.data.find(b"\0", self.at, self.at + most + 1)
        need(end > self.at, "string")
        s = self.take(end - self.at)
        self.take(1)
        return s

    def pad(self, start):
        n = -(self.at - start) % 64
        need(self.take(n) == bytes(n), "padding")


# ---- records -------------------------------------------------------------

def text(b):
    kind, n = b.unpack("B")[0], b.varint()
    need(kind in KINDS, "kind of text record")
    fields = []
    for _ in range(n):
        name = b.string(32)
        need(re.fullmatch(rb"[a-z][a-z0-9_]*", name), "field name")
        data = b.take(b.varint())
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError:
            data = {"hex": data.hex()}
        fields.append((name.decode(), data))
    names = [k for k, _ in fields]
    if kind == 4:
        at, n = names.index("role") if "role" in names else 0, 0
        while names[at + 2 * n:at + 2 * n + 2] == ["role", "content"]:
            n += 1
        need(0 < n <= 65536, "messages")
        del names[at + 2:at + 2 * n]
    need(len(names) <= 66 and len(set(names)) == len(names), "fields")
    return {"kind": KINDS[kind], "fields": fields}


def tokens(b, keys):
    one, width, zero, quality, ordinal, time, group = b.unpack("BBHiQqQ")
    need(one in (1, 2, 3) and width in (2, 3, 4) and zero == 0, "token record")
    source = b.take(32).hex()
    more = b.unpack("QQQ") if one >= 2 else (0, 0, 0)
    repo, lang, path = (
        b.take(b.unpack("B")[0]).decode("utf-8") if one >= least else ""
        for least in (2, 2, 3))
    need(one == (3 if path else 2 if any(more) or repo or lang else 1),
         "form of a token record")
    n, n_runs = b.varint(), b.varint()
    runs = [b.varint() for _ in range(n_runs)]
    need(sum(runs) == n and 0 not in runs[1:], "runs")
    ids = list(b.unpack("%d%s" % (n, "I" if width == 4 else "H")))
    if width == 3:
        ids = [low | high << 16 for low, high in zip(ids, b.take(n))]
    three = keys.get("id-bytes")
    need(three is None or (three == "3" and int(keys["vocab"]) > 65536),
         "id-bytes")
    least = 3 if three and max(ids, default=0) < 1 << 24 else 4
    need(width == (2 if max(ids, default=0) < 65536 else least), "width")
    if "vocab" in keys:
        need(not ids or max(ids) < int(keys["vocab"]), "id in vocabulary")
    mask = [i % 2 for i, run in enumerate(runs) for _ in range(run)]
    return {"kind": "tokens", "ids": ids, "mask": mask, "quality": quality,
            "ordinal": ordinal, "time": time, "group": group,
            "source": source, "same": more, "repo": repo, "lang": lang,
            "path": path}


def asset(b):
    need(b.unpack("B")[0] == 1, "asset")
    name = b.string(255).decode("utf-8")
    need(not name.startswith(".") and "/" not in name, "name of an asset")
    return {"kind": "asset", "name": name, "bytes": b.left(),
            "hash": blake(b.take(b.left())).hex()}


def descriptor(data):
    b = Bytes(data)
    name, dtype = b.string(1024).decode("utf-8"), b.string(32).decode()
    dims = b.varint()
    need(dims <= 8 and dtype in SIZES, "descriptor")
    shape = [b.varint() for _ in range(dims)]
    need(not b.left(), "descriptor is too long")
    n = SIZES[dtype]
    for dim in shape:
        n *= dim
    return {"kind": "tensor", "name": name, "dtype": dtype,
            "shape": shape, "bytes": n}


def record(head, data):
    b = Bytes(data)
    r = {"text": lambda: text(b), "tokens": lambda: tokens(b, head["keys"]),
         "weights": lambda: asset(b)}[head["type"]]()
    need(not b.left(), "bytes after the record")
    return r


# ---- a segment -----------------------------------------------------------

def header(b, start):
    rest = b.data[start:start + (1 << 20)]
    first = rest.split(b"\n", 1)[0]
    need(re.fullmatch(rb"graft stream [0-9]+", first), "not a graft stream")
    version = int(first[13:])
    need(first in (b"graft stream 1", b"graft stream 2"),
         "version of the stream")
    end = rest.find(b"\nend\n")
    need(end > 0, "header has no end")
    raw = b.take(end + 5)
    check = b.take(48)
    need(check[:8] == b"\x89\x67\x0d\x0a\x1a\x0a\0\xff", "check bytes")
    need(struct.unpack("<II", check[8:16]) == (0x01020304, len(raw)),
         "byte order or length of the header")
    need(check[16:] == blake(raw, check[:16]), "hash of the header")
    b.pad(start)
    head = {"type": None, "keys": {}, "after": None, "part": None,
            "prov": []}
    content, stage = b"", 0
    order = [b"type", b"key", b"after", b"part", b"prov", b"end"]
    for line in raw.split(b"\n")[1:-1]:
        need(len(line) <= 65536, "line of the header")
        word, _, rest = line.partition(b" ")
        need(word in order and order.index(word) >= stage, "header line")
        need((word == b"type") == (head["type"] is None), "type")
        stage = order.index(word)
        if word in (b"type", b"key", b"after"):
            content += line + b"\n"
        if word == b"type":
            need(NAME.fullmatch(rest), "type")
            head["type"] = rest.decode()
        elif word == b"key":
            name, _, v = rest.partition(b" ")
            need(NAME.fullmatch(name) and name.decode() not in head["keys"],
                 "key")
            head["keys"][name.decode()] = value(v)
        elif word == b"after":
            n, _, oid = rest.partition(b" ")
            need(head["after"] is None and b" " not in oid, "after")
            head["after"] = [number(n), value(oid)]
        elif word == b"part":
            need(head["part"] is None and head["after"] is None, "part")
            head["part"] = number(rest)
        elif word == b"prov":
            head["prov"].append(value(rest))
    need(stage == 5 and head["type"] in ("text", "tokens", "weights"),
         "header")
    return version, head, content + b"\0"


def frame(b, seq):
    at = b.at
    fixed = b.take(64)
    magic, kind, flags, zero, number_, stored, raw = struct.unpack(
        "<4sBBHQQQ", fixed[:32])
    need(magic == b"GFrm" and zero == 0 and kind in (1, 2, 3, 4), "frame")
    need(number_ == seq, "sequence number")
    need(flags == 0 or (flags == 1 and kind == 1), "flags")
    need(raw <= {1: 64 << 20, 2: 1 << 20, 3: 1 << 60, 4: 64 << 20}[kind],
         "length of a frame")
    need(stored < raw if flags else stored == raw, "lengths of a frame")
    data = b.take(stored)
    need(fixed[32:] == blake(fixed[:32], b"" if kind == 3 else data),
         "hash of a frame")
    if flags:
        data = unzstd(data, raw)
    return at, fixed, kind, stored, data


def trailer(data):
    lines = data.split(b"\n")
    need(lines[-2:] == [b"end", b""], "end of the trailer")
    t = {"input": [], "ledger": [], "index": []}
    for i, name in enumerate([b"records", b"raw", b"tensors", b"data",
                              b"content", b"file"]):
        word, _, v = lines[i].partition(b" ")
        need(word == name, "trailer line %d" % i)
        t[name.decode()] = number(v) if i < 4 else hash_of(v)
    lines = lines[6:-2]
    while lines and lines[0].startswith(b"input "):
        t["input"].append(hash_of(lines.pop(0)[6:]).hex())
    while lines and lines[0].startswith(b"ledger "):
        _, program, reason, count = lines.pop(0).split(b" ")
        need(WORD.fullmatch(program) and WORD.fullmatch(reason), "ledger")
        t["ledger"].append([program.decode(), reason.decode(),
                            number(count)])
    t["index"] = lines
    return t


def segment(b, show):
    start = b.at
    version, head, content = header(b, start)
    file_hash = hashlib.blake2b(b.data[start:b.at], digest_size=32)
    content = hashlib.blake2b(content, digest_size=32)
    count = {"records": 0, "raw": 0, "tensors": 0, "data": 0}
    index, seq, tensor = [], 0, None
    while True:
        at, fixed, kind, stored, data = frame(b, seq)
        seq += 1
        b.pad(start)
        need((kind == 3) == (tensor is not None), "data behind a tensor")
        if kind == 4:
            break
        file_hash.update(fixed)
        if version == 1 or kind != 3:
            content.update(data)
        digest = fixed[32:].hex()
        if kind == 1:
            r, n = Bytes(data), 0
            while r.left():
                one = record(head, r.take(r.varint()))
                n += 1
                show(one)
            need(n > 0, "empty frame")
            count["records"] += n
            count["raw"] += len(data)
            index.append("frame %d %d %d %d %s" % (
                at - start, stored, len(data), n, digest))
        elif kind == 2:
            tensor = descriptor(data)
            count["tensors"] += 1
            index.append("tensor %d %d %d %s" % (at - start, stored,
                                                 len(data), digest))
        else:
            need(tensor["bytes"] == len(data), "bytes of a tensor")
            tensor["hash"] = blake(data).hex()
            show(tensor)
            tensor = None
            count["data"] += len(data)
            index.append("data-at %d %d" % (at + 64 - start, len(data)))
            for i in range(0, len(data), BLOCK):
                h = blake(data[i:i + BLOCK])
                file_hash.update(h)
                if version == 2:
                    content.update(h)
                index.append("block " + h.hex())
    t = trailer(data)
    need([x.encode() for x in index] == t["index"], "index")
    for name, n in count.items():
        need(t[name] == n, name)
    need(t["content"] == content.digest(), "content id")
    need(t["file"] == file_hash.digest(), "file digest")
    end = b.take(64)
    magic, length, trailer_at, zero = struct.unpack("<8sQQQ", end[:32])
    need(magic == b"graftend" and zero == 0, "end block")
    need((length, trailer_at) == (b.at - start, at - start), "end block")
    need(end[32:] == blake(end[:32]), "hash of the end block")
    return dict(head, **count, content=t["content"].hex(),
                file=t["file"].hex(), input=t["input"], ledger=t["ledger"])


def stream(path, show):
    with open(path, "rb") as f:
        b = Bytes(f.read())
    need(b.data, "empty input")
    segments = []
    while b.left():
        segments.append(segment(b, show))
    return segments


# ---- a set ---------------------------------------------------------------

def length(r):
    """The entry of a token record in its set's file of lengths."""
    return struct.pack("<IIQq", len(r["ids"]), sum(r["mask"][1:]),
                       r["ordinal"], r["time"])


def check_lengths(path, line, lengths):
    with open(os.path.join(path, line["name"]), "rb") as f:
        raw = f.read()
    need(list(line) == ["name", "bytes", "file"], "members of lengths")
    need(line["file"] == blake(raw).hex() and line["bytes"] == len(raw) and
         line["name"] == "lengths-" + line["file"][:16], "file of lengths")
    need(raw == b"graft lengths 1\n" + b"".join(lengths), "lengths")


def check_leaks(m, same):
    def found(split, k):
        return [same[i][k] for begin, end in split["ranges"]
                for i in range(begin, end) if same[i][k]]

    splits = {s["name"]: s for s in m["splits"]}
    for leak in m["leaks"]:
        for k, what in enumerate(("edit", "content", "commit")):
            train = set(found(splits["train"], k)) if "train" in splits else ()
            need(leak[what] == sum(v in train for v in
                                   found(splits[leak["split"]], k)), "leaks")


def shard_set(path, show):
    with open(os.path.join(path, "manifest.json"), "rb") as f:
        raw = f.read()
    m = json.loads(raw)
    line = raw.rindex(b'  "check": ')
    need(m["check"] == blake(raw[:line]).hex(), "check of the manifest")
    need(m["format"] == "graft set" and m["version"] in (1, 2), "manifest")
    need(list(m) == ["format", "version", "type", "content", "records",
                     "tensors", "keys", "prov", "files",
                     *(["lengths"] if "lengths" in m else []),
                     "splits", *(k for k in ("sampling", "leaks") if k in m),
                     "inputs",
                     *(["segments"] if "segments" in m else []),
                     "ledger", "check"], "members of the manifest")
    if "segments" in m:
        need(len(m["segments"]) == len(m["inputs"]) > 1 and
             sum(m["segments"]) == m["records"], "segments")
    lines = "type %s\n" % m["type"]
    lines += "".join("key %s %s\n" % kv for kv in m["keys"].items())
    parts = [lines.encode(), b"\0"]
    records = tensors = 0
    lengths, same = [], []

    def look(r):
        if m["type"] == "tokens":
            lengths.append(length(r))
            same.append(r["same"])
        show(r)

    for i, f in enumerate(m["files"]):
        need(f["name"] == "%05d-%s.graft" % (i, f["content"][:16]), "name")
        file = os.path.join(path, f["name"])
        segments = stream(file, look)
        need(len(segments) == 1, "segments in a file of a set")
        s = segments[0]
        need(s["type"] == m["type"] and s["keys"] == m["keys"], "header")
        need(s["part"] in (None, i), "part")
        need(not s["prov"] and s["after"] is None, "prov or after in a set")
        need(os.path.getsize(file) == f["bytes"], "bytes")
        for name in ("records", "tensors", "content", "file"):
            need(s[name] == f[name], "%s of %s" % (name, f["name"]))
        parts.append(bytes.fromhex(f["content"]))
        records += f["records"]
        tensors += f["tensors"]
    if "lengths" in m:
        check_lengths(path, m["lengths"], lengths)
    if "leaks" in m and m["type"] == "tokens":
        check_leaks(m, same)
    seen = []
    for split in m["splits"]:
        for begin, end in split["ranges"]:
            parts.append(b"%s %d %d\n" % (split["name"].encode(), begin, end))
            seen.append((begin, end))
        need(split["records"] == sum(e - s for s, e in split["ranges"]),
             "records of a split")
    parts += [b"sampling %s\n" % rule.encode()
              for rule in m.get("sampling", [])]
    seen.sort()
    need(all(a[1] <= b[0] for a, b in zip(seen, seen[1:])), "splits overlap")
    need(not seen or seen[-1][1] <= records, "split beyond the end")
    need((records, tensors) == (m["records"], m["tensors"]), "counts")
    need(m["content"] == blake(*parts).hex(), "content id of the set")
    return [{"set": path, "type": m["type"], "content": m["content"],
             "records": records, "tensors": tensors,
             "files": len(m["files"])}]


def main():
    args = sys.argv[1:]
    show = lambda r: None
    if args[:1] == ["-r"]:
        args = args[1:]
        show = lambda r: print(json.dumps(r))
    for path in args:
        try:
            read = shard_set if os.path.isdir(path) else stream
            for line in read(path, show):
                print(json.dumps(line))
        except (Bad, ValueError, KeyError, struct.error) as e:
            print("reader.py: %s: %s" % (path, e), file=sys.stderr)
            sys.exit(4)


main()
