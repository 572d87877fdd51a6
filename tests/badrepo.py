#!/usr/bin/env python3
"""badrepo.py CASE REPO - does one bad thing to a git repository.

REPO has at least one commit on main. Most cases put a commit on top whose
tree has nothing but the entry "bad", in the state that the case is named
after, then one with a file "good" instead, then one with another "good".
"""
import hashlib
import os
import struct
import sys
import zlib

case, repo = sys.argv[1], sys.argv[2]
git = os.path.join(repo, ".git")
who = b"A <a@b> 1700000000 +0000\n"


def frame(kind, body):
    return kind + b" %d\0" % len(body) + body


def path_of(name):
    return os.path.join(git, "objects", name[:2], name[2:])


def store(kind, body, raw=None, name=None):
    """Writes a loose object; raw replaces its framed bytes."""
    data = frame(kind, body)
    name = name or hashlib.sha1(data).hexdigest()
    os.makedirs(os.path.dirname(path_of(name)), exist_ok=True)
    if os.path.exists(path_of(name)):
        os.chmod(path_of(name), 0o644)
    with open(path_of(name), "wb") as f:
        f.write(raw if raw is not None else zlib.compress(data))
    return name


def entry(mode, name, oid):
    return mode + b" " + name + b"\0" + bytes.fromhex(oid)


def head():
    with open(os.path.join(git, "refs/heads/main")) as f:
        return f.read().strip()


def commit(tree, parents=None, author=who, committer=who, message=b"bad\n"):
    parents = [head()] if parents is None else parents
    body = b"tree " + tree.encode() + b"\n"
    body += b"".join(b"parent " + p.encode() + b"\n" for p in parents)
    body += b"author " + author + b"committer " + committer
    name = store(b"commit", body + b"\n" + message)
    with open(os.path.join(git, "refs/heads/main"), "w") as f:
        f.write(name + "\n")
    return name


def with_blob(oid, mode=b"100644"):
    commit(store(b"tree", entry(mode, b"bad", oid)))
    for text in (b"good\n", b"better\n"):
        good = store(b"blob", text)
        commit(store(b"tree", entry(b"100644", b"good", good)))


def offset_size(n, kind):
    """The header of a packed object."""
    out = bytearray()
    byte = kind << 4 | n & 15
    n >>= 4
    while n:
        out.append(byte | 128)
        byte = n & 127
        n >>= 7
    out.append(byte)
    return bytes(out)


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def pack(objects):
    """Writes a pack of (name, packed bytes) with its index, unchecked."""
    data = b"PACK" + struct.pack(">II", 2, len(objects))
    where = []
    for name, packed in objects:
        where.append((name, len(data), zlib.crc32(packed)))
        data += packed
    data += hashlib.sha1(data).digest()
    where.sort()
    idx = b"\xfftOc" + struct.pack(">I", 2)
    firsts = [int(n[:2], 16) for n, _, _ in where]
    for i in range(256):
        idx += struct.pack(">I", sum(f <= i for f in firsts))
    idx += b"".join(bytes.fromhex(n) for n, _, _ in where)
    idx += b"".join(struct.pack(">I", c) for _, _, c in where)
    idx += b"".join(struct.pack(">I", o) for _, o, _ in where)
    idx += data[-20:]
    idx += hashlib.sha1(idx).digest()
    base = os.path.join(git, "objects/pack/pack-" + data[-20:].hex())
    for end, content in ((".pack", data), (".idx", idx)):
        with open(base + end, "wb") as f:
            f.write(content)


def ref_delta(base, delta):
    return (offset_size(len(delta), 7) + bytes.fromhex(base) +
            zlib.compress(delta))


if case == "short-header":
    body = b"x" * 100000
    raw = zlib.compress(b"blob 10\0" + body)
    with_blob(store(b"blob", b"", raw, "11" * 20))
elif case == "long-header":
    raw = zlib.compress(b"blob 100\0short")
    with_blob(store(b"blob", b"", raw, "12" * 20))
elif case == "cut":
    raw = zlib.compress(frame(b"blob", os.urandom(50000)))[:20000]
    with_blob(store(b"blob", b"", raw, "13" * 20))
elif case == "wrong-hash":
    with_blob(store(b"blob", b"something else\n", None, "14" * 20))
elif case == "missing":
    with_blob("15" * 20)
elif case == "missing-tree":
    commit("16" * 20)
elif case == "missing-parent":
    tree = store(b"tree", entry(b"100644", b"a", store(b"blob", b"a\n")))
    commit(tree, ["17" * 20])
elif case.startswith("parent-"):
    line = b"parent " + head().encode()
    lines = {"parent-blanks": line.replace(b" ", b"  "),
             "parent-cr": line + b"\r",
             "parent-long": line + b"42",
             "parent-tab": line.replace(b" ", b"\t"),
             "parent-late": who.replace(b"A", b"author A", 1) + line}[case]
    body = b"tree " + store(b"tree", b"").encode() + b"\n" + lines + b"\n"
    body += b"author " + who + b"committer " + who + b"\nbad\n"
    with open(os.path.join(git, "refs/heads/main"), "w") as f:
        f.write(store(b"commit", body) + "\n")
elif case == "unreadable-commit":
    name = store(b"commit", b"", b"no zlib stream", "1b" * 20)
    for text in (b"good\n", b"better\n"):
        commit(store(b"tree", entry(b"100644", b"f", store(b"blob", text))),
               [name])
        name = head()
elif case == "no-mode":
    with_blob(store(b"blob", b"no mode\n"), b"0")
elif case == "wrong-type":
    with_blob(store(b"tree", b""))
elif case == "fifo":
    name = "18" * 20
    os.makedirs(os.path.dirname(path_of(name)), exist_ok=True)
    os.mkfifo(path_of(name))
    with_blob(name)
elif case == "cycle":
    a, b = "21" * 20, "22" * 20
    delta = varint(100) + varint(100) + b"\x90\x64"
    pack([(a, ref_delta(b, delta)), (b, ref_delta(a, delta))])
    with_blob(a)
elif case == "slow":
    # six blobs behind a thousand deltas that copy sixty megabytes each
    size = 60000000
    names = ["%040x" % (i + (0x30 << 152)) for i in range(1000)]
    same = varint(size) + varint(size)
    at = 0
    while at < size:
        n = min(0xffffff, size - at)
        same += b"\xff" + struct.pack("<I", at) + struct.pack("<I", n)[:3]
        at += n
    objects = [(names[0], offset_size(size, 3) +
                zlib.compress(b"z" * size))]
    objects += [(name, ref_delta(names[i], same))
                for i, name in enumerate(names[1:])]
    blobs = [("%02x" % i) * 20 for i in range(0x40, 0x46)]
    few = varint(size) + varint(100) + b"\x90\x64"
    objects += [(name, ref_delta(names[-1], few)) for name in blobs]
    pack(objects)
    for name in blobs:
        commit(store(b"tree", entry(b"100644", b"bad", name)))
elif case == "delta-bomb":
    base = b"y" * 1000
    delta = varint(1000) + varint(2 << 30) + b"\x90\xe8"
    name = "23" * 20
    pack([(hashlib.sha1(frame(b"blob", base)).hexdigest(),
           offset_size(1000, 3) + zlib.compress(base)),
          (name, ref_delta(hashlib.sha1(frame(b"blob", base)).hexdigest(),
                           delta))])
    with_blob(name)
elif case == "bomb":
    oid, mode = store(b"blob", b"boom\n"), b"100644"
    for _ in range(10):
        oid = store(b"tree", b"".join(
            entry(mode, b"%d" % i, oid) for i in range(10)))
        mode = b"40000"
    commit(oid)
elif case == "deep":
    oid, mode = store(b"blob", b"deep\n"), b"100644"
    for _ in range(2048):
        oid = store(b"tree", entry(mode, b"d", oid))
        mode = b"40000"
    commit(oid)
elif case in ("long-dirs", "long-names"):
    blob, name = store(b"blob", b""), b"n" * 250 if case[5] == "n" else b""
    tree = store(b"tree", b"".join(
        entry(b"100644", b"%05d" % i + name * 16, blob) for i in range(1000)))
    tree = store(b"tree", b"".join(
        entry(b"40000", b"%05d" % i, tree) for i in range(100)))
    if case == "long-dirs":
        for _ in range(15):
            tree = store(b"tree", entry(b"40000", b"d" * 255, tree))
    commit(tree)
elif case == "odd-paths":
    blob = store(b"blob", b"odd\n")
    names = (b"..", b".git", b"a\nb\x1b[31m", b"a\nb\x1b[31m",
             b"bad\xff\xfe", b"../../x")
    tree = b"".join(entry(b"100644", n, blob) for n in names)
    commit(store(b"tree", tree + entry(b"177777", b"mode", blob)))
elif case == "bad-time":
    tree = store(b"tree", entry(b"100644", b"t", store(b"blob", b"t\n")))
    commit(tree, None, who, b"A <a@b> 99999999999999999999 +0000\n")
    tree = store(b"tree", entry(b"100644", b"u", store(b"blob", b"u\n")))
    commit(tree)
elif case == "odd-authors":
    for i, author in enumerate((b"nobody\n", b"\n", b"A <a@b> -1 +0000\n",
                                b"B <\xff> 9223372036854775807 -9999\n")):
        blob = store(b"blob", b"%d\n" % i)
        tree = store(b"tree", entry(b"100644", b"f", blob))
        commit(tree, None, author, author)
elif case == "many-parents":
    tree = store(b"tree", b"")
    commit(tree, [head()] * 50000)
elif case == "many-refs":
    with open(os.path.join(git, "packed-refs"), "w") as f:
        for i in range((1 << 20) + 1):
            f.write("%s refs/tags/t%07d\n" % (head(), i))
elif case == "long-message":
    commit(store(b"tree", b""), message=b"m" * 100000000)
else:
    sys.exit("no such case: " + case)
