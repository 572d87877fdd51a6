"""Prints conversations as JSON lines, the same ones each time.

    python chats.py N [tools]

Words of several scripts, code, runs of blanks and newlines at all places;
some with a system message, and with `tools` some with calls and results. All
messages have the same keys, as data sets of columns need it.
"""
import json
import random
import sys

WORDS = ("the of 3.14 don't I'm naïve Straße 漢字 かな "
         "\u0437\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439 😀 "
         "\U0001f469\u200d\U0001f52c e\u0301 x_1 == { } // \\n \" ' <b> "
         "</b> & % 1234567 A.B. http://a.b/?c=d def f(x): return\u00a0x "
         "\u200b \uff21\uff22").split(" ")
GAPS = [" "] * 12 + ["  ", "\n", "\n\n", "\t", "    ", "\r\n", ""]
TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "What it's like in a \"city\" <&> é",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"]}}}]


def text(rng, most):
    out = rng.choice(["", "", "", " ", "\n"])
    for _ in range(rng.randint(1, most)):
        out += rng.choice(WORDS) + rng.choice(GAPS)
    return out if rng.random() < .3 else out.rstrip()


def message(role, content, calls=None):
    return {"role": role, "content": content, "tool_calls": calls}


def exchange(rng, tools):
    yield message("user", text(rng, 40))
    if tools and rng.random() < .5:
        yield message("assistant", rng.choice(["", text(rng, 5)]), [{
            "type": "function", "function": {"name": "weather", "arguments": {
                "city": text(rng, 2), "days": rng.randint(0, 9)}}}])
        yield message("tool", json.dumps({"t": text(rng, 3)}))
    yield message("assistant", text(rng, 60))


def main():
    rng = random.Random(1)
    for _ in range(int(sys.argv[1])):
        tools = "tools" in sys.argv and rng.random() < .3
        messages = [message("system", text(rng, 20))] * (rng.random() < .4)
        for _ in range(rng.randint(1, 5)):
            messages += exchange(rng, tools)
        row = {"messages": messages}
        if "tools" in sys.argv:
            row["tools"] = TOOLS if tools else None
        print(json.dumps(row))


main()
