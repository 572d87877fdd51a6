"""Every code point, what `tokenizers` does with it, and the tables in C that
uclass.py and ucat.py make of that.
"""
from tokenizers import Regex, pre_tokenizers

points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def pieces(split, before="", behind=""):
    """For each piece that `split` makes of all code points, each between
    `before` and `behind`: the code points of its text, and where it begins
    and ends in that, in characters."""
    for at in range(0, len(points), 512):
        part = points[at:at + 512]
        text = "".join(before + chr(c) + behind for c in part)
        for _, (a, b) in split.pre_tokenize_str(text):
            yield part, a, b


def matches(pattern):
    """The code points that match. What does not is removed."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    for part, a, b in pieces(split):
        yield from part[a:b]


def print_list(items):
    """Items of an initialiser, in lines of 80 columns."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 80:
            print(line)
            line = "   "
        line += " " + item + ","
    print(line)


def print_runs(name, value):
    """Runs of code points that have the same value: {LENGTH,VALUE}."""
    first = [c for c in range(0x110000) if c == 0 or value[c] != value[c - 1]]
    print("const struct %s_run %s_run[] = {" % (name, name))
    print_list("{%d,%d}" % (end - c, value[c])
               for c, end in zip(first, first[1:] + [0x110000]))
    print("};\n")
