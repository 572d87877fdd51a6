"""terminal.py [OPTION...] COMMAND... - runs a command on a terminal of its
own and prints what a person would have seen: every line that scrolled away,
then the screen.

It knows the little of ECMA-48 that the programs use, and exits with 99 for
anything else. The command runs as a job in the foreground of a session, as
under a shell, and signals do to it what they do there, whatever was ignored
before; its status is this program's (128 + N for signal N).

  --size COLUMNS,ROWS   of the terminal (80,24)
  --type NAME           TERM (xterm)
  --raw FILE            the bytes that came
  --frames FILE         the screen after each piece of output, a form feed
                        after each
  --when REGEX TEXT     types TEXT as soon as the screen matches (^C and ^Z as
                        003 and 032, octal, after a backslash); of several,
                        one after the other
  --seen REGEX FILE     makes FILE as soon as the screen matches
  --stdin FILE, --stdout FILE   in the place of the terminal
"""
import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

CONTROL = re.compile(rb"\x1b(?:\[(\d*)([AJKM])|([78]))|\r|\n|\x08|[\x20-\x7e]+"
                     rb"|[\x80-\xff]+|\x07")


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.line = [""] * rows
        self.gone = []
        self.x = self.y = 0
        self.saved = (0, 0)
        self.rest = b""
        self.unknown = None

    def newline(self):
        if self.y < self.rows - 1:
            self.y += 1
            return
        self.gone.append(self.line.pop(0))
        self.line.append("")

    def put(self, text):
        for c in text:
            if self.x == self.columns:
                self.x = 0
                self.newline()
            old = self.line[self.y].ljust(self.x)
            self.line[self.y] = old[:self.x] + c + old[self.x + 1:]
            self.x += 1

    def control(self, count, what):
        if what == b"A":
            self.y = max(0, self.y - max(1, int(count or 1)))
        elif what == b"K" and not count:
            self.line[self.y] = self.line[self.y][:self.x]
        elif what == b"J" and not count:
            self.line[self.y] = self.line[self.y][:self.x]
            self.line[self.y + 1:] = [""] * (self.rows - self.y - 1)
        else:
            self.unknown = (count, what)

    def feed(self, data):
        data = self.rest + data
        at = 0
        while at < len(data):
            m = CONTROL.match(data, at)
            if not m:
                if len(data) - at > 16:
                    self.unknown = data[at:at + 16]
                    at += 1
                    continue
                break
            at = m.end()
            token = m.group(0)
            if m.group(2):
                self.control(m.group(1), m.group(2))
            elif m.group(3) == b"7":
                self.saved = (self.x, self.y)
            elif m.group(3) == b"8":
                self.x, self.y = self.saved
            elif token == b"\r":
                self.x = 0
            elif token == b"\n":
                self.newline()
            elif token == b"\x08":
                self.x = max(0, self.x - 1)
            elif token != b"\x07":
                self.put(token.decode("utf-8", "replace"))
        self.rest = data[at:]

    def text(self):
        lines = [x.rstrip() for x in self.line]
        while lines and not lines[-1]:
            lines.pop()
        return "".join(x + "\n" for x in self.gone + lines)


def start(o):
    pid, master = pty.fork()
    if pid == 0:
        size = struct.pack("HHHH", o.size[1], o.size[0], 0, 0)
        fcntl.ioctl(2, termios.TIOCSWINSZ, size)
        os.environ["TERM"] = o.type
        for number in signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP:
            signal.signal(number, signal.SIG_DFL)
        if o.stdin:
            os.dup2(os.open(o.stdin, os.O_RDONLY), 0)
        if o.stdout:
            os.dup2(os.open(o.stdout, os.O_WRONLY | os.O_CREAT, 0o666), 1)
        os.execvp(o.command[0], o.command)
    return pid, master


def watch(o, master, screen):
    keys = [(re.compile(when, re.M), text.encode().decode(
        "unicode_escape").encode("latin-1")) for when, text in o.when]
    began = time.monotonic()
    raw = open(o.raw, "wb") if o.raw else None
    frames = open(o.frames, "w") if o.frames else None
    while True:
        if time.monotonic() - began > 300:
            sys.exit("terminal.py: the command takes too long")
        if not select.select([master], [], [], 0.02)[0]:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            data = b""
        if not data:
            return
        if raw:
            raw.write(data)
        screen.feed(data)
        if keys and keys[0][0].search(screen.text()):
            os.write(master, keys.pop(0)[1])
        if o.seen and re.search(o.seen[0], screen.text(), re.M):
            open(o.seen[1], "w").close()
        if frames:
            frames.write(screen.text() + "\f")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", default="80,24",
                   type=lambda s: tuple(int(x) for x in s.split(",")))
    p.add_argument("--type", default="xterm")
    p.add_argument("--raw")
    p.add_argument("--frames")
    p.add_argument("--when", action="append", default=[], nargs=2)
    p.add_argument("--seen", nargs=2)
    p.add_argument("--stdin")
    p.add_argument("--stdout")
    p.add_argument("command", nargs=argparse.REMAINDER)
    o = p.parse_args()
    screen = Screen(*o.size)
    pid, master = start(o)
    try:
        watch(o, master, screen)
    finally:
        os.close(master) if sys.exc_info()[0] else None
    status = os.waitpid(pid, 0)[1]
    sys.stdout.write(screen.text())
    if screen.unknown:
        print("terminal.py: unknown: %r" % (screen.unknown,), file=sys.stderr)
        sys.exit(99)
    sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status)
             else 128 + os.WTERMSIG(status))


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
main()
