"""scrub_precision.py REPO... - how much of what scrub finds in histories is
what it was taken for. What it replaces is compared with what stood there;
values that a person looked at and found to be nobody's are in
scrub_false.txt beside this file: of jq, redis and libgit2, in November 2026.
The bar: .95 of the places. Of other repositories all is listed, to be looked
at."""
import collections
import json
import os
import re
import subprocess
import sys

FALSE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "scrub_false.txt")
PLACEHOLDER = re.compile(r"<([A-Z_]+)_\d+>")


def lines(words, **how):
    return subprocess.Popen(words, stdout=subprocess.PIPE, **how)


def found_in(before, after):
    """What placeholders stand for in a line, by type."""
    pattern, types, at = "", [], 0
    for m in PLACEHOLDER.finditer(after):
        if m.group() in before:
            continue
        pattern += re.escape(after[at:m.start()]) + "(.+?)"
        types.append(m.group(1))
        at = m.end()
    m = re.fullmatch(pattern + re.escape(after[at:]), before)
    return zip(types, m.groups()) if m else []


def found(repo):
    history = subprocess.run(["gitscrape", "-q", "--trust", repo],
                             stdout=subprocess.PIPE, check=True).stdout
    path = os.environ["WORK"] + "/history"
    with open(path, "wb") as f:
        f.write(history)
    scrub = lines(["scrub", "-q", "--keep", "all", path])
    counts = collections.Counter()
    for x, y in zip(lines(["tojsonl", path]).stdout,
                    lines(["tojsonl"], stdin=scrub.stdout).stdout):
        if x == y:
            continue
        x, y = json.loads(x), json.loads(y)
        for name, text in y.items():
            if not isinstance(text, str) or x.get(name) == text:
                continue
            for p, q in zip(x[name].split("\n"), text.split("\n")):
                counts.update(found_in(p, q) if p != q else [])
    return counts


def main():
    with open(FALSE) as f:
        false = set(f.read().split("\n"))
    counts = collections.Counter()
    for repo in sys.argv[1:]:
        counts.update(found(repo))
    if os.environ.get("LIST"):
        for (kind, value), n in sorted(counts.items()):
            print(n, kind, value, value in false and "false" or "", sep="\t")
    kinds = collections.defaultdict(lambda: [0, 0, 0, 0])
    for (kind, value), n in counts.items():
        for k in (kind, "all"):
            bad = value in false
            kinds[k][0] += n
            kinds[k][1] += n * bad
            kinds[k][2] += 1
            kinds[k][3] += bad
    for kind, (places, bad, values, bad_values) in sorted(kinds.items()):
        print("scrub, %s: %.4f of %d places, %.4f of %d values are what they"
              " were taken for" % (kind, 1 - bad / places, places,
                                   1 - bad_values / values, values))
    places, bad = kinds["all"][:2]
    held = places and 1 - bad / places >= .95
    print("scrub: precision (bar .95): %s" % ("holds" if held else "MISSED"))
    sys.exit(not held)


main()
