"""What the tests of the page share: states to write it from, and its HTML as a tree."""

import csv
import datetime
import html.parser
import io
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fault"))

import fault  # noqa: E402

CASE = ROOT / "tests" / "page" / "small"
VOID = {"meta", "link", "br"}
SVG_VOID = {"path", "rect", "circle", "line"}

# Texts of a feed that would do harm unescaped, turn the page round, or fill it.
HOSTILE = ["<script>document.title = 'run'</script>", "</style><b>out</b>", "</title><h1>",
           'a" onmouseover="x', "it's", "a&b;&lt;", "--> ]]> {{x}}", "\u202egnp.exe", "\u2066lri",
           "کابل", "ולדי", "東京都", "", "x" * 5000, "javascript:alert(1)", "two  words\u00a0here"]


def small(options):
    """A sandbox with two feeds: estimates, unknown figures, a feed without a column."""
    box = fault.Sandbox(options.bin, (CASE / "tallyd.conf").read_text())
    for path in sorted(CASE.glob("*.csv")):
        box.drop(path.name, path.read_bytes())
    box.once().ended(0)
    return box


def demo(options):
    """A sandbox with the demo's feed."""
    config = (ROOT / "demo" / "tallyd.conf").read_text().split("state = @STATE@\n")[1]
    box = fault.Sandbox(options.bin, config)
    fault.run([sys.executable, ROOT / "demo" / "make_feed.py", box.inbox]).ended(0)
    box.once().ended(0)
    return box


def made_up(options, names, count=2000):
    """A sandbox whose feed has these provinces, one after the other, for some years."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["id", "revision", "date", "province", "killed", "wounded"])
    for i in range(count):
        day = datetime.date(2018, 1, 1) + datetime.timedelta(days=i * 900 // count)
        rows.writerow([f"id {i}", 1, day.isoformat(), names[i % len(names)],
                       "" if i % 7 == 0 else i % 11, i % 5])
    box = fault.Sandbox(options.bin, fault.config())
    box.drop("made-up.csv", out.getvalue())
    box.once().ended(0)
    return box


def empty(options):
    box = fault.Sandbox(options.bin, fault.config())
    box.once().ended(0)
    return box


def write(box, rollup, *words, name="page.html"):
    """Path of the page that these options make."""
    path = box.folder / name
    box.tally("report", rollup, *words, "--to", path).ended(0)
    return path


class Node:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children = tag, attributes, parent, []

    def all(self, tag, **wanted):
        """Elements of a tag below, whose attributes hold these words."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if child.tag == tag and all(value in (child.attributes.get(key) or "").split()
                                            for key, value in wanted.items()):
                    found.append(child)
                found += child.all(tag, **wanted)
        return found

    def text(self):
        return "".join(child if isinstance(child, str) else child.text()
                       for child in self.children)


class Tree(html.parser.HTMLParser):
    """Refuses what a browser would have to mend."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.root = self.at = Node("", {}, None)
        self.ids = set()
        self.wrong = []
        self.feed(text)
        self.close()
        if self.at is not self.root:
            self.wrong.append(f"<{self.at.tag}> is not closed")

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs), self.at)
        if len(attrs) != len(node.attributes):
            self.wrong.append(f"<{tag}> has an attribute twice: {attrs}")
        identity = node.attributes.get("id")
        if identity and identity in self.ids:
            self.wrong.append(f"id {identity} is there twice")
        self.ids.add(identity)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_startendtag(self, tag, attrs):
        if tag not in SVG_VOID:
            self.wrong.append(f"<{tag}/> is no element that may be empty")
        self.at.children.append(Node(tag, dict(attrs), self.at))

    def handle_endtag(self, tag):
        if tag != self.at.tag:
            self.wrong.append(f"</{tag}> closes <{self.at.tag}> at {self.getpos()}")
        self.at = self.at.parent or self.root

    def handle_data(self, data):
        self.at.children.append(data)

    def unknown_decl(self, data):
        self.wrong.append(f"a declaration {data[:40]}")

    def handle_comment(self, data):
        self.wrong.append(f"a comment {data[:40]}")

    def handle_pi(self, data):
        self.wrong.append(f"an instruction {data[:40]}")


def table_rows(table):
    """Texts of the cells of a table's body."""
    body, = table.all("tbody")
    return [[cell.text().strip() for cell in row.children if isinstance(cell, Node)]
            for row in body.all("tr")]
