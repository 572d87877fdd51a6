"""validate.py SCHEMA FILE - checks each JSON value of FILE against a schema.

FILE is one JSON value, or one a line. Only what the schemas in schemas/ use
of JSON Schema is known; another keyword is an error, so that none is passed
over. Prints the first violation and exits 3; 1 where it could not check.
"""
import json
import re
import sys

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float))
    and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, (int, float))
    and not isinstance(v, bool) and v == int(v),
}
NOTES = {"$schema", "$id", "$defs", "title", "description", "default"}
number, text = TYPES["number"], TYPES["string"]
array, mapping = TYPES["array"], TYPES["object"]

# Keyword to (values that it is about, whether one holds).
SIMPLE = {
    "type": (lambda v: True, lambda v, a: any(
        TYPES[t](v) for t in ([a] if isinstance(a, str) else a))),
    "enum": (lambda v: True, lambda v, a: v in a),
    "const": (lambda v: True, lambda v, a: v == a),
    "minimum": (number, lambda v, a: v >= a),
    "maximum": (number, lambda v, a: v <= a),
    "exclusiveMinimum": (number, lambda v, a: v > a),
    "minLength": (text, lambda v, a: len(v) >= a),
    "maxLength": (text, lambda v, a: len(v) <= a),
    "pattern": (text, lambda v, a: re.search(a, v) is not None),
    "minItems": (array, lambda v, a: len(v) >= a),
    "maxItems": (array, lambda v, a: len(v) <= a),
    "maxProperties": (mapping, lambda v, a: len(v) <= a),
    "required": (mapping, lambda v, a: all(k in v for k in a)),
}


class Violation(Exception):
    pass


def holds(value, schema, root):
    try:
        check(value, schema, root, "")
    except Violation:
        return False
    return True


def check_object(v, s, root, at):
    known = s.get("properties", {})
    rest = s.get("additionalProperties", True)
    for key, item in v.items():
        where = "%s/%s" % (at, key)
        if "propertyNames" in s:
            check(key, s["propertyNames"], root, where)
        if key in known:
            check(item, known[key], root, where)
        elif rest is False:
            raise Violation("%s: no such key" % where)
        elif rest is not True:
            check(item, rest, root, where)


def check_array(v, s, root, at):
    first = s.get("prefixItems", [])
    for i, item in enumerate(v):
        schema = first[i] if i < len(first) else s.get("items", {})
        check(item, schema, root, "%s/%d" % (at, i))


def check(v, s, root, at):
    for word, arg in s.items():
        if word == "$ref":
            target = root
            for part in arg.lstrip("#/").split("/"):
                target = target[part]
            check(v, target, root, at)
        elif word in ("oneOf", "anyOf"):
            n = sum(holds(v, each, root) for each in arg)
            if n == 0 or (word == "oneOf" and n > 1):
                raise Violation("%s: %d of %s hold" % (at, n, word))
        elif word in SIMPLE:
            about, good = SIMPLE[word]
            if about(v) and not good(v, arg):
                raise Violation("%s: %s is not %s %s" % (at, v, word, arg))
        elif word not in NOTES | {"properties", "additionalProperties",
                                  "propertyNames", "items", "prefixItems"}:
            sys.exit("validate.py: unknown keyword " + word)
    if isinstance(v, dict):
        check_object(v, s, root, at)
    elif isinstance(v, list):
        check_array(v, s, root, at)


def main():
    with open(sys.argv[1]) as f:
        schema = json.load(f)
    with open(sys.argv[2]) as f:
        text = f.read()
    try:
        values = [json.loads(text)]
    except ValueError:
        values = [json.loads(line) for line in text.splitlines()]
    if not values:
        sys.exit("%s: nothing to validate" % sys.argv[2])
    for i, value in enumerate(values):
        try:
            check(value, schema, schema, "value %d" % i)
        except Violation as e:
            print("%s: %s" % (sys.argv[2], e))
            sys.exit(3)


main()
