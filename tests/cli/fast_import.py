"""fast_import.py: a history as git fast-import reads it. scrape.bash puts it
before a program that says which commits there are."""
n_commits = 0


def commit(parents, files=None):
    """Begins a commit of the branch main and returns its number, by which
    later ones name it as a parent. files: path to lines, all that it has;
    without, it has what its first parent has."""
    global n_commits
    n_commits += 1
    print("commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\n"
          "data 0" % (n_commits, 1700000000 + n_commits))
    for i, p in enumerate(parents):
        print("%s :%d" % ("merge" if i else "from", p))
    if files is not None:
        print("deleteall")
        for path, text in files.items():
            put(path, "".join(x + "\n" for x in text))
    return n_commits


def put(path, data):
    """A file of the commit that was begun last."""
    print("M 100644 inline %s\ndata %d\n%s" % (path, len(data), data))
