#!/usr/bin/env python3
"""The page of tally report: its bytes, its form, and that its figures are those of the commands.

    tests/page/page.py [--bin DIR] [--update]

--update writes tests/page/small/want.html anew.
"""

import base64
import hashlib
import re
import sys

import page_case
from page_case import CASE, HOSTILE, Tree, fault, table_rows
from fault import must

WANT = CASE / "want.html"
SMALL = ("harm", "--days", "7", "--end", "2019-01-16", "--by", "province")
ELEMENTS = {"html", "head", "meta", "link", "title", "style", "body", "main", "script", "header",
            "footer", "section", "h1", "h2", "h3", "p", "b", "i", "span", "bdi", "time", "code",
            "pre", "ul", "ol", "li", "dl", "div", "dt", "dd", "figure", "figcaption", "svg", "desc",
            "path", "rect", "circle", "line", "text", "table", "caption", "thead", "tbody", "tfoot",
            "tr", "th", "td"}
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "rel", "href", "class", "id",
              "role", "aria-labelledby", "aria-hidden", "aria-sort", "tabindex", "scope", "colspan",
              "datetime", "data-from", "data-to", "data-step", "data-days", "data-name",
              "data-best", "data-low", "data-high", "data-top", "data-plot", "data-max", "width",
              "height", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "d", "viewbox",
              "preserveaspectratio", "text-anchor"}
PAGE_BYTES_MAX = 1_000_000


def every(node):
    for child in node.children:
        if isinstance(child, page_case.Node):
            yield child
            yield from every(child)


def read(path):
    """The tree of a page, after all that has to hold for every page."""
    text = path.read_text(encoding="utf-8")
    tree = Tree(text)
    must(not tree.wrong, f"{tree.wrong[:5]}")
    root = tree.root
    for node in every(root):
        must(node.tag in ELEMENTS, f"a feed made an element: <{node.tag} {node.attributes}>")
        must(node.attributes.keys() <= ATTRIBUTES, f"<{node.tag}> has {node.attributes.keys()}")
        for name in ("href", "src"):
            must(node.attributes.get(name) in (None, "data:,"), f"it asks for {node.attributes}")
    must("url(" not in text and "@import" not in text, "the style asks for something")
    policy(root)
    names(root, tree.ids)
    return root


def policy(root):
    """What runs is what the policy names, and nothing else may."""
    content, = [meta.attributes["content"] for meta in root.all("meta")
                if meta.attributes.get("http-equiv") == "Content-Security-Policy"]
    must(content.startswith("default-src 'none'; ") and "unsafe" not in content, content)
    for tag in ("style", "script"):
        element, = root.all(tag)
        digest = base64.b64encode(hashlib.sha256(element.text().encode()).digest()).decode()
        must(f"{tag}-src 'sha256-{digest}'" in content,
             f"page_{tag}_digest in report/page_{tag}.c should be sha256-{digest}")


def names(root, ids):
    """What a screen reader tells is there."""
    must(len(root.all("h1")) == 1 and len(root.all("main")) == 1, "one <h1>, one <main>")
    for table in root.all("table"):
        must(len(table.all("caption")) == 1, "a table without a caption")
        must(all(head.attributes.get("scope") in ("col", "row") for head in table.all("th")),
             "a <th> without a scope")
        columns = len(table.all("thead")[0].all("th"))
        for row in table.all("tr"):
            wide = sum(int(cell.attributes.get("colspan", "1"))
                       for cell in row.all("th") + row.all("td"))
            must(wide == columns, f"a row of {wide} cells below {columns} columns")
    for node in every(root):
        for identity in (node.attributes.get("aria-labelledby") or "").split():
            must(identity in ids, f"nothing has the id {identity}")
        if node.tag == "svg" and node.attributes.get("role") == "img":
            must(node.all("title") and node.all("desc"), "a chart without title and desc")


def steady(text):
    """Without what differs from run to run and from version to version."""
    text = re.sub(r"taken in <time>[^<]*</time>", "taken in <time></time>", text)
    return re.sub(r'(content="tally |<dd>tally )[0-9.]+', r"\g<1>", text)


def test_a_small_page_is_the_same_to_the_byte(options, _):
    with page_case.small(options) as box:
        got = steady(page_case.write(box, *SMALL).read_text(encoding="utf-8"))
    if options.update:
        WANT.write_text(got, encoding="utf-8")
    want = WANT.read_text(encoding="utf-8") if WANT.exists() else ""
    if got != want:
        lines = [f"-{a}\n+{b}" for a, b in zip(want.splitlines(), got.splitlines()) if a != b]
        must(False, f"{len(got)} bytes, not {len(want)}; --update writes {WANT.name} anew:\n"
             + "\n".join(lines[:3])[:2000])


def test_it_says_what_the_figures_are(options, _):
    with page_case.small(options) as box:
        root = read(page_case.write(box, *SMALL))
    said = root.all("h1")[0].text()
    must(said == "In the 7 days from 10 to 16 January 2019, 5 were killed and 2 wounded in "
                 "4 incidents.", said)
    lede = root.all("p", **{"class": "lede"})[0].text()
    must("2 reported how many were killed and 1 reported how many were wounded" in lede
         and "unknown, not zero" in lede, lede)
    warned = " ".join(node.text() for node in root.all("p", **{"class": "warn"}))
    must("Incomplete." in warned, f"the window reaches beyond both feeds: {warned}")


def test_a_feed_without_the_column_is_told(options, _):
    with page_case.small(options) as box:
        root = read(page_case.write(box, "harm", "--days", "7", "--by", "feed"))
    rows = {row[0]: row for row in table_rows(root.all("table", **{"class": "sortable"})[0])}
    must("not recorded" in rows["press"] and "not recorded" not in rows["ministry"], f"{rows}")


def plain(number):
    return "" if number in ("–", "unknown", "not recorded") else number.replace(",", "")


def test_the_table_is_what_window_prints(options, _):
    with page_case.demo(options) as box:
        words = ("attacks", "--days", "50", "--end", "2020-10-24", "--by", "province")
        root = read(page_case.write(box, *words))
        want = box.table("window", *words, "--compare", "previous,year-ago")
        columns = ["province", "killed", "killed_reported", "wounded", "wounded_reported",
                   "incidents", "previous_killed", "year_ago_killed"]
        table, = root.all("table", **{"class": "sortable"})
        got = [[row[0], *map(plain, row[1:])] for row in table_rows(table)]
        must(sorted(got) == sorted([row[name] for name in columns] for row in want),
             f"the table has other figures: {got[:3]}")
        killed = [int(row[1]) for row in got]
        must(killed == sorted(killed, reverse=True), "it is not sorted as it says")


def test_charts_are_what_series_prints(options, _):
    with page_case.demo(options) as box:
        root = read(page_case.write(box, "attacks", "--days", "50", "--end", "2020-10-24"))
        want = box.table("series", "attacks", "--days", "50", "--from", "2019-01-01", "--to",
                         "2020-10-24")
        charts = root.all("figure", **{"class": "chart"})
        must([chart.attributes["data-name"] for chart in charts]
             == ["killed", "wounded", "incidents"], "other charts")
        for chart in charts:
            name = chart.attributes["data-name"]
            must(chart.attributes["data-best"].split(",") == [row[name] or "0" for row in want],
                 f"the chart of {name} has other figures")


def test_hostile_texts_stay_texts(options, _):
    with page_case.made_up(options, HOSTILE) as box:
        root = read(page_case.write(box, "all", "--days", "50", "--where", 'province=!"<i>\'"'))
        table, = root.all("table", **{"class": "sortable"})
        got = {row[0] for row in table_rows(table)}
    for text in HOSTILE:
        shown = text if text else "not stated"
        shown = shown[:200] + "…" if len(shown) > 200 else shown
        shown = re.sub("[\u202e\u2066]", "\ufffd", shown)
        must(shown in got, f"{shown!r} is not told; there are {sorted(got)}")
    command = root.all("pre")[0].text().strip()
    must("""--where 'province=!"<i>'\\''"'""" in command, f"no shell reads this: {command}")


def test_the_command_writes_the_page_again(options, _):
    with page_case.small(options) as box:
        path = page_case.write(box, *SMALL, "--where", "province=!it's", "--basis", "overlap")
        command = read(path).all("pre")[0].text().strip()
        must(command.startswith("tally report harm --days 7 "), command)
        first = path.read_bytes()
        path.unlink()
        line = command.replace("tally", f"{box.programs / 'tally'} --state {box.state}", 1)
        fault.run(["/bin/sh", "-c", line], cwd=box.folder).ended(0)
        must(path.read_bytes() == first, "the command at its foot writes another page")


def test_many_groups_are_cut_and_the_page_stays_small(options, _):
    names = [f"province {i} of many" for i in range(18000)]
    with page_case.made_up(options, names, 18000) as box:
        words = ("all", "--days", "900")
        path = page_case.write(box, *words)
        must(path.stat().st_size < PAGE_BYTES_MAX, f"{path.stat().st_size} bytes")
        root = read(path)
        table, = root.all("table", **{"class": "sortable"})
        must(len(table_rows(table)) == 200, "the table is not cut to 200 rows")
        caption = table.all("caption")[0].text()
        must("200 of 18,000 groups" in caption and "total is of all" in caption, caption)
        total = table.all("tfoot")[0].all("td")[0].text()
        row, = box.table("window", *words)
        must(plain(total) == row["killed"], f"the total is {total}, not {row['killed']}")
        root = read(page_case.write(box, *words, "--limit", "3"))
        must(len(table_rows(root.all("table", **{"class": "sortable"})[0])) == 3, "--limit 3")


def test_an_empty_rollup_and_one_incident_have_a_page(options, _):
    with page_case.empty(options) as box:
        box.tally("report", "all", "--days", "7", "--to", box.folder / "a.html").ended(66)
        root = read(page_case.write(box, "all", "--days", "7", "--end", "2020-10-24"))
        must("no incidents were recorded" in root.all("h1")[0].text(), "the sentence")
        must(not root.all("figure"), "charts of nothing")
        box.drop("one.csv", fault.HEADER + "A,1,2020-10-24,Kabul,1,\n")
        box.once().ended(0)
        root = read(page_case.write(box, "all", "--days", "7"))
        must(root.all("h1")[0].text().endswith("1 was killed in 1 incident."), "the sentence")
        cards = root.all("ul", **{"class": "figures"})[0]
        must("unknown" in cards.text() and "not covered" in cards.text(), cards.text())


def test_a_sum_beyond_64_bits_is_told_in_full(options, _):
    with page_case.empty(options) as box:
        box.drop("big.csv", fault.HEADER + "".join(
            f"B-{i},1,2020-10-0{i % 9 + 1},Kabul,{2 ** 63 - 1},\n" for i in range(40)))
        box.once().ended(0)
        root = read(page_case.write(box, "all", "--days", "50"))
        must(f"{40 * (2 ** 63 - 1):,} were killed" in root.all("h1")[0].text(), "the sum is not told")


if __name__ == "__main__":
    fault.run_tests(sys.modules[__name__], fault.arguments(
        __doc__, lambda parser: parser.add_argument("--update", action="store_true")), "page")
