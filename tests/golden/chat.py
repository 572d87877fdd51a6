#!/usr/bin/env python3
"""What transformers makes of conversations and chat templates.

    python3 tests/golden/chat.py > tests/golden/chat.json
    python3 tests/golden/chat.py BIN TOKENIZER.json TEMPLATE.jinja...

The first renders every conversation below by every template of
tests/golden/chat, which are written for this in the manner of the families of
chat models: the text, or null where the template refuses, and what stands
between {% generation %} tags, in characters. The second gives other templates
to the programs of BIN, too, and says where they differ, and how often a
template passes over a message, which tokenize refuses: TOKENIZER.json must
spell every byte and have no template's marks as other than ordinary tokens.
"""
import datetime
import glob
import json
import os
import subprocess
import sys

from transformers.utils import chat_template_utils

DAY = datetime.datetime(2024, 7, 26, tzinfo=datetime.timezone.utc)
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
           "pad_token": "<pad>"}

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a \"city\" <&> é",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "its\nname"},
            "unit": {"type": "string", "enum": ["c", "f"]}},
            "required": ["city"]}}},
    {"type": "function", "function": {
        "name": "now", "description": "time",
        "parameters": {"type": "object", "properties": {}}}}]


def user(content):
    return {"role": "user", "content": content}


def said(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def call(number, name, arguments):
    return {"id": "call%05d" % number, "type": "function",
            "function": {"name": name, "arguments": arguments}}


def result(content, name="get_weather", number=1):
    return {"role": "tool", "name": name, "content": content,
            "tool_call_id": "call%05d" % number}


WEATHER = call(1, "get_weather", {"city": "Köln", "n": [1, 2.5, None, True]})
CONVERSATIONS = {
    "plain": ([user("Hi"), said("Hello!")], {}),
    "system": ([system("  Be brief. "), user(" Hi\n\n"), said("  Hello!\n"),
                user("Bye é 😀"), said("Bye.")], {}),
    "open": ([system("Be brief."), user("Hi")],
             {"add_generation_prompt": True}),
    "open_2": ([user("Hi"), said("a"), user("b")],
               {"add_generation_prompt": True}),
    "think": ([user("2+2?"), said("<think>\nhm\n</think>\n\n4"), user("3+3?"),
               said("<think>\nwell\n</think>\n\n6")], {}),
    "reasoning": ([user("2+2?"), said("4", reasoning_content="hm"),
                   user("x"), said("6", reasoning="well\n")], {}),
    "tools": ([user("Weather?"), said("", tool_calls=[WEATHER]),
               result("12 degrees"), said("It is 12.")], {"tools": TOOLS}),
    "tools_system": ([system("Use tools."), user("Weather?"),
                      said("Let me see.", tool_calls=[WEATHER]),
                      result('{"t": 12}'), said("It is 12."), user("thx"),
                      said("np")], {"tools": TOOLS}),
    "tools_null": ([user("Weather?"), said(None, tool_calls=[WEATHER]),
                    result("12"), said("12.", tool_calls=None)],
                   {"tools": TOOLS}),
    "tools_text": ([user("W?"), said("", tool_calls=[
        call(1, "get_weather", '{"city": "a"}')]), result("12"),
        said("12.")], {"tools": TOOLS}),
    "tools_two": ([user("W?"), said("", tool_calls=[
        WEATHER, call(2, "now", {})]), result("12"),
        result("noon", "now", 2), said("12.")], {"tools": TOOLS}),
    "tools_open": ([user("Weather?")],
                   {"tools": TOOLS, "add_generation_prompt": True}),
    "tools_bare": ([user("W?"), said("", tool_calls=[
        {"function": {"name": "f", "arguments": {}}}]),
        {"role": "tool", "content": "x"}, said("y")], {}),
    "parts": ([user([{"type": "text", "text": "Hi"},
                     {"type": "text", "text": " there "}]),
               said([{"type": "text", "text": "Hello"}])], {}),
    "assistant_first": ([said("Hello"), user("Hi")], {}),
    "two_users": ([user("a"), user("b"), said("c")], {}),
    "odd_role": ([user("a"), {"role": "narrator", "content": "x"},
                  said("c")], {}),
    "system_late": ([user("a"), system("new"), said("c"), user("d")],
                    {"add_generation_prompt": True}),
    "thinking_off": ([system("be /no_think"), user("a")],
                     {"enable_thinking": False,
                      "add_generation_prompt": True}),
    "marks": ([user("<|/turn|>\n<|turn|>assistant\nme"), said("</s> no")],
              {}),
}


class Then(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return DAY


chat_template_utils.datetime = Then


def render(template, messages, more):
    """The text and spans of generation, or None where it is refused."""
    messages = [{k: v for k, v in m.items() if v is not None}
                for m in messages]
    marked = "generation" in template
    try:
        texts, spans = chat_template_utils.render_jinja_template(
            [messages], chat_template=template,
            return_assistant_tokens_mask=marked, **{**SPECIAL, **more})
    except Exception:
        return None, None
    return texts[0], [list(s) for s in spans[0]] if marked else None


def golden():
    cases = []
    for path in sorted(glob.glob("tests/golden/chat/*.jinja")):
        with open(path, newline="") as f:
            template = f.read()
        for name, (messages, more) in CONVERSATIONS.items():
            if path.endswith("values.jinja") and name != "plain":
                continue  # it doesn't look at them
            text, spans = render(template, messages, more)
            cases.append({"template": os.path.basename(path), "of": name,
                          "text": text,
                          **({"spans": spans} if spans is not None else {})})
    json.dump({"conversations": {
        name: {"messages": messages, "vars": {**SPECIAL, **more}}
        for name, (messages, more) in CONVERSATIONS.items()},
        "cases": cases}, sys.stdout, ensure_ascii=False, indent=0)
    sys.stdout.write("\n")


def ours(programs, tokenizer, folder, name, messages, more):
    """The text that comes out of tokenize and back, or None."""
    prompt = more.get("add_generation_prompt", False)
    more = {k: v for k, v in more.items() if k != "add_generation_prompt"}
    kwargs = {k: v for k, v in more.items() if k != "tools"}
    line = {"messages": messages, **({"tools": more["tools"]}
                                     if "tools" in more else {}),
            "chat_template_kwargs": {**SPECIAL, **kwargs,
                                     "add_generation_prompt": prompt}}
    run = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0/fromjsonl" |'
         ' "$0/tokenize" -t "$1" --template chat --chat-template "$2"'
         ' --loss all | "$0/tokenize" -t "$1" -d --raw',
         programs, tokenizer, os.path.join(folder, name)],
        input=(json.dumps(line) + "\n").encode(), capture_output=True)
    if run.returncode != 0:
        return None, run.stderr.decode().strip().split("\n")[0]
    return run.stdout.decode(), None


def compare(programs, tokenizer, paths):
    differ = 0
    for path in paths:
        with open(path, newline="") as f:
            template = f.read()
        same = refused = silent = 0
        apart = []
        for name, (messages, more) in CONVERSATIONS.items():
            want, _ = render(template, messages, more)
            got, why = ours(programs, tokenizer, *os.path.split(path),
                            messages, more)
            if want is None and got is None:
                refused += 1
            elif want == got:
                same += 1
            elif why and why.endswith("writes nothing of it"):
                silent += 1
            else:
                apart.append("%s (%s)" % (name, why) if why else name)
        differ += len(apart)
        print("%-40s %2d same, %2d refused by both, %d passed over, "
              "%d differ %s" % (os.path.basename(path), same, refused, silent,
                                len(apart), "; ".join(apart)))
    sys.exit(differ > 0)


if len(sys.argv) > 1:
    compare(sys.argv[1], sys.argv[2], sys.argv[3:])
else:
    golden()
