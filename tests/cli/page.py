# page.py FILE - what must be true of any page of report: it parses, it has
# the elements and attributes that report writes and no others, nothing of it
# is fetched or run. Prints the texts of <pre>, a JSON string a line.
import html.parser
import json
import re
import sys

TAGS = set("""html head meta title style body header section p h1 h2 h3 h4 dl
div dt dd b i em span code table thead tbody tr th td br ol li figure
figcaption svg line text tspan path circle pre sup""".split())
VOID = {"meta", "br"}
IMPLIED = {"tr", "th", "td", "thead", "tbody"}
ATTRIBUTES = set("""lang charset name content http-equiv class title style
width height role aria-label x y x1 x2 y1 y2 dx cx cy r d viewbox
preserveaspectratio""".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.pre, self.css = [], [], ""

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            if name == "style":
                assert re.fullmatch(r"width:[0-9.]+%", value), value
        if tag == "pre":
            self.pre.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        while self.open[-1] != tag:
            assert self.open[-1] in IMPLIED, (tag, self.open)
            self.open.pop()
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "pre":
            self.pre[-1] += data
        if self.open and self.open[-1] == "style":
            self.css += data


text = open(sys.argv[1], "rb").read().decode("utf-8")  # strictly
assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
page = Page()
page.feed(text)
page.close()
assert page.open == [], page.open
assert "url(" not in page.css and "@import" not in page.css
assert page.css.count("{") == page.css.count("}")
for pre in page.pre:
    print(json.dumps(pre))
