#!/usr/bin/env python3
"""The page of tally report in Chromium: light, dark, printed, on a phone, with and without scripts.

    tests/browser/page.py [--bin DIR] [--pictures DIR]

--pictures leaves a PNG of each look, for people.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "page"))

import browser  # noqa: E402
import page_case  # noqa: E402
from page_case import HOSTILE, fault  # noqa: E402
from fault import must  # noqa: E402

SKIPPED = 77
WIDE, PHONE = 1100, 360
CONTRAST_MIN = 4.5
TAB, ENTER, LEFT, RIGHT, HOME, END = "\ue004", "\ue007", "\ue012", "\ue014", "\ue011", "\ue010"
TABS_MAX = 60

# The least contrast of all text, and whose it is. Colours are computed ones, over the nearest
# background that is not clear; text in a drawing stands on the page or on what is shaded.
CONTRAST = """
const light = text => {
  const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => {
    v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (color !== 'rgba(0, 0, 0, 0)') return color;
  }
  return 'rgb(255, 255, 255)';
};
const shaded = [...document.querySelectorAll('rect.now')].map(e => getComputedStyle(e).fill);
let least = [99, ''], count = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const element = node.parentElement;
  if (!node.data.trim() || element.closest('script, title, desc')) continue;
  const style = getComputedStyle(element);
  const drawn = element.namespaceURI.endsWith('svg');
  const grounds = drawn ? [behind(element), ...shaded.slice(0, 1)] : [behind(element)];
  for (const ground of grounds) {
    const found = contrast(drawn ? style.fill : style.color, ground);
    count++;
    if (found < least[0]) least = [found, node.data.trim().slice(0, 40)];
  }
}
return [least[0], least[1], count];
"""

FOCUSED = """
const at = document.activeElement, style = getComputedStyle(at);
return [at.tagName.toLowerCase(), at.textContent, style.outlineStyle, parseFloat(style.outlineWidth)];
"""


def opened(pages, path, what, **look):
    """Opens a page and lets nothing go by: no request but its own, nothing on the console."""
    pages.look(**look)
    pages.requests()
    pages.open(path)
    asked = pages.requests()
    must(asked == [path.resolve().as_uri()], f"{what}: it asks for {asked}")
    said = pages.log()
    must(not said, f"{what}: the console says {said}")
    must(pages.run("return getComputedStyle(document.querySelector('main')).maxWidth") != "",
         f"{what}: no style")


def fits(pages, what, width):
    wide = pages.run("return document.documentElement.scrollWidth")
    must(wide <= width, f"{what}: {wide} pixels wide on {width}")


def reads(pages, what):
    least, text, count = pages.run(CONTRAST)
    must(count > 30, f"{what}: only {count} texts were looked at")
    must(least >= CONTRAST_MIN, f"{what}: contrast {least:.2f} of {text!r}")


def picture(options, pages, name):
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        pages.picture(options.pictures / f"{name}.png")


LOOKS = {
    "light": {"width": WIDE}, "dark": {"width": WIDE, "scheme": "dark"},
    "phone": {"width": PHONE, "height": 740},
    "phone-dark": {"width": PHONE, "height": 740, "scheme": "dark"},
    "print": {"width": 720, "media": "print", "scheme": "dark"},
    "no-scripts": {"width": WIDE, "scripts": False},
    "no-scripts-phone": {"width": PHONE, "scripts": False},
}


def demo_page(options, stack):
    box = stack.enter_context(page_case.demo(options))
    return page_case.write(box, "attacks", "--days", "50", "--end", "2020-10-24", "--by", "province")


def every_page(options, stack):
    """The demo, harmful texts, two feeds with estimates, nothing, and one incident."""
    yield "demo", demo_page(options, stack)
    box = stack.enter_context(page_case.made_up(options, HOSTILE))
    yield "hostile", page_case.write(box, "all", "--days", "50")
    box = stack.enter_context(page_case.small(options))
    yield "small", page_case.write(box, "harm", "--days", "7", "--end", "2019-01-16",
                                   "--by", "province,target,feed")
    box = stack.enter_context(page_case.empty(options))
    yield "empty", page_case.write(box, "all", "--days", "50", "--end", "2020-10-24")
    box.drop("one.csv", fault.HEADER + "A,1,2020-10-24,Kabul,1,\n")
    box.once().ended(0)
    yield "one", page_case.write(box, "all", "--days", "50", name="one.html")


def test_every_look_of_every_page_holds(options, stack):
    pages = options.browser
    for name, path in every_page(options, stack):
        for look, how in LOOKS.items():
            what = f"{name}, {look}"
            opened(pages, path, what, **how)
            fits(pages, what, how["width"])
            reads(pages, what)
            must(pages.run("return document.title").startswith(("attacks", "all", "harm")),
                 f"{what}: a text of the feed was run")
            picture(options, pages, f"{name}-{look}")


def test_paper_is_white_and_the_page_prints(options, stack):
    pages = options.browser
    opened(pages, demo_page(options, stack), "print", **LOOKS["print"])
    ground = pages.run("return getComputedStyle(document.documentElement).backgroundColor")
    must(ground == "rgb(255, 255, 255)", f"paper is {ground}")
    must(pages.pdf().startswith(b"%PDF"), "no PDF")


def test_without_scripts_nothing_is_missing(options, stack):
    pages = options.browser
    path = demo_page(options, stack)
    shown = {}
    for look in ("light", "no-scripts"):
        opened(pages, path, look, **LOOKS[look])
        # Scripts of the test run through the debugger, also where the page's own do not.
        shown[look] = pages.run("return [document.querySelectorAll('svg').length, "
                                "document.querySelectorAll('td').length, "
                                "document.querySelectorAll('th button').length]")
    must(shown["light"][:2] == shown["no-scripts"][:2], f"{shown}")
    must(shown["light"][2] > 0 and shown["no-scripts"][2] == 0,
         f"buttons that do nothing without scripts: {shown}")


def focus(pages, tag, words):
    """Goes there by the Tab key alone."""
    for _ in range(TABS_MAX):
        pages.press(TAB)
        at, text, outline, width = pages.run(FOCUSED)
        if at == tag and words in text:
            must(outline == "solid" and width >= 2, f"focus on {text!r} is not shown")
            return
    must(False, f"the Tab key does not reach a <{tag}> with {words!r}")


def column(pages, number):
    return pages.run("return [...document.querySelectorAll('.sortable tbody tr')]"
                     f".map(row => row.cells[{number}].textContent)")


def sorted_by(pages):
    return pages.run("return [...document.querySelectorAll('.sortable th[aria-sort]')]"
                     ".map(head => [head.textContent, head.getAttribute('aria-sort')])")


def test_the_table_sorts_by_keyboard(options, stack):
    pages = options.browser
    opened(pages, demo_page(options, stack), "sorting", **LOOKS["light"])
    must(sorted_by(pages) == [["killed", "descending"]], f"{sorted_by(pages)}")
    focus(pages, "button", "wounded")
    for order in ("descending", "ascending"):
        pages.press(ENTER)
        must(sorted_by(pages) == [["wounded", order]], f"{sorted_by(pages)}")
        got = [int(text.replace(",", "")) for text in column(pages, 3)]
        must(got == sorted(got, reverse=order == "descending") and len(set(got)) > 5, f"{got}")
        must(pages.run(FOCUSED)[1] == "wounded", "the focus went elsewhere")


def test_what_is_unknown_sorts_last_either_way(options, stack):
    pages = options.browser
    box = stack.enter_context(page_case.small(options))
    opened(pages, page_case.write(box, "harm", "--days", "7", "--end", "2019-01-16"), "unknown",
           **LOOKS["light"])
    focus(pages, "button", "killed")
    for want in (["1", "4", "unknown", "unknown"], ["4", "1", "unknown", "unknown"]):
        pages.press(ENTER)
        must(column(pages, 1) == want, f"{column(pages, 1)}, not {want}")


READOUTS = "return [...document.querySelectorAll('.readout')].map(one => one.textContent)"


def reads_off(pages, box):
    """The last day of the window that the charts tell, after comparing it with `tally window`."""
    said = pages.run(READOUTS)
    end = said[0].rsplit(" ", 1)[-1]
    row, = box.table("window", "attacks", "--days", "50", "--end", end)
    want = [f"{int(row[name]):,} {name}, {row['window_start']} to {end}"
            for name in ("killed", "wounded", "incidents")]
    must(said == want, f"the charts tell {said}, not {want}")
    return end


def test_charts_are_read_by_pointer_and_keyboard(options, stack):
    pages = options.browser
    box = stack.enter_context(page_case.demo(options))
    path = page_case.write(box, "attacks", "--days", "50", "--end", "2020-10-24")
    opened(pages, path, "reading", **LOOKS["light"])
    x, y, wide, high = pages.run(
        "const svg = document.querySelector('.chart > svg'); svg.scrollIntoView({block: 'center'});"
        "const box = svg.getBoundingClientRect(); return [box.x, box.y, box.width, box.height]")
    pages.hover(x + wide * 0.8, y + high / 2)
    must(reads_off(pages, box).startswith("2020-06"), "the pointer is elsewhere")
    pages.hover(1, 1)
    must(not any(pages.run(READOUTS)), "they go on telling")

    opened(pages, path, "reading", **LOOKS["light"])
    focus(pages, "svg", "2020")
    must(reads_off(pages, box) == "2020-10-24", "it does not begin at the end")
    for key, end in ((LEFT, "2020-10-23"), (LEFT, "2020-10-22"), (RIGHT, "2020-10-23"),
                     (HOME, "2019-01-01"), (LEFT, "2019-01-01"), (END, "2020-10-24"),
                     (RIGHT, "2020-10-24")):
        pages.press(key)
        must(reads_off(pages, box) == end, f"{reads_off(pages, box)}, not {end}")
    must(pages.run("return document.querySelectorAll('[aria-live]').length") == 1,
         "one of them is to be spoken")


def test_a_screen_reader_finds_names(options, stack):
    pages = options.browser
    path = demo_page(options, stack)
    for look in ("light", "no-scripts"):
        opened(pages, path, look, **LOOKS[look])
        nodes = [node for node in pages.cdp("Accessibility.getFullAXTree")["nodes"]
                 if not node["ignored"]]
        named = {}
        for node in nodes:
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value"))
        must(len(named.get("heading", [])) >= 10 and all(named["heading"]), f"{look}: headings")
        charts = named.get("image", []) + named.get("img", [])
        must(sum("killed in 50 days" in (name or "") for name in charts) == 1,
             f"{look}: charts are called {charts}")
        must(all(named.get("table", [])) and len(named["table"]) >= 3,
             f"{look}: tables are called {named.get('table')}")
        must(all(named.get("region", [])), f"{look}: regions are called {named.get('region')}")
        must(len(named.get("columnheader", [])) > 10, f"{look}: no column headers")


def add(parser):
    parser.add_argument("--pictures", type=pathlib.Path, help="folder for a PNG of each look")


if __name__ == "__main__":
    asked = fault.arguments(__doc__, add)
    try:
        with browser.Browser() as asked.browser:
            fault.run_tests(sys.modules[__name__], asked, "browser page")
    except browser.Absent as absent:
        print(f"SKIP: {absent}")
        sys.exit(SKIPPED)
