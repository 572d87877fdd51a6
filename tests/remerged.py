"""remerged.py: what merges decided, a line per edited line.

    remerged.py git REPO    as git show --remerge-diff has it
    remerged.py ours REPO   of gitscrape's records, as JSON lines on stdin

Each line is commit, path and "-line" or "+line". Labels of conflict markers
are taken off, since git's name the commits; paths that are as in one of the
parents are left out, as are symbolic links, since gitscrape writes none of
these.
"""
import base64
import json
import re
import subprocess
import sys


def git(repo, *args):
    return subprocess.run(["git", "-C", repo, "-c", "core.quotePath=false",
                           *args], check=True, capture_output=True).stdout


def unlabelled(line):
    return re.sub(rb"^([-+])(<{7,}|>{7,}) .*", rb"\1\2", line)


def of_git(repo):
    log = git(repo, "log", "--merges", "--remerge-diff", "--no-renames",
              "-U0", "--no-color", "--format=%x01%H %P", "HEAD")
    for part in log.split(b"\x01")[1:]:
        head, _, rest = part.partition(b"\n")
        commit, *parents = head.decode().split()
        trees = [dict(x.split(b"\t")[::-1]
                      for x in git(repo, "ls-tree", "-r", c).splitlines())
                 for c in [commit] + parents]
        path, inside = None, False
        for line in rest.split(b"\n"):
            if line.startswith(b"diff --git "):
                path, inside = re.match(rb".* b/(.*)", line)[1], False
                if any(t.get(path) == trees[0].get(path) for t in trees[1:]):
                    path = None
            elif line.startswith(b"index ") and line.endswith(b" 120000"):
                path = None  # a symbolic link
            elif line.startswith(b"@@"):
                inside = True
            elif path and inside and line[:1] in (b"-", b"+"):
                yield commit.encode(), path, unlabelled(line)


def raw(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode()


def ours(repo):
    merges = set(git(repo, "rev-list", "--merges", "HEAD").split())
    for line in sys.stdin:
        r = json.loads(line)
        if r["commit"].encode() not in merges:
            continue
        for edited in raw(r["change"]).split(b"\n")[1:]:
            if edited[:1] in (b"-", b"+"):
                yield (r["commit"].encode(), raw(r["path"]),
                       unlabelled(edited))


for row in sorted((of_git if sys.argv[1] == "git" else ours)(sys.argv[2])):
    sys.stdout.buffer.write(b"%s %s %s\n" % row)
