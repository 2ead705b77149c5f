#!/usr/bin/env python3
"""The Python module: the rows of the command and of a recount, by the system's Python."""

import ctypes
import datetime
import importlib
import json
import os
import random
import re
import shutil
import signal
import sys
import threading

import desk
from desk import END, ROOT, Failure, must, run, same

MODULE = ROOT / "report" / "python"
HEADERS = [ROOT / "report" / "tally.h", ROOT / "base" / "tally_err.h"]
DIMS = ["province", "target", "feed"]
BASES = ["start", "end", "overlap", "inside"]

# tally.h -> ctypes
TYPES = {"void": None, "bool": ctypes.c_bool, "int": ctypes.c_int, "size_t": ctypes.c_size_t,
         "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint32_t": ctypes.c_uint32,
         "uint64_t": ctypes.c_uint64,
         "char *": ctypes.c_char_p, "char *const *": ctypes.POINTER(ctypes.c_char_p)}
STRUCTS = {"tally_err": "CError", "tally_sum": "CSum", "tally_coverage": "CCoverage",
           "tally_entry": "CEntry"}


def tally():
    return importlib.import_module("tally")  # once the environment is right: see the end


def library():
    return importlib.import_module("tally._library")


# ---- what is declared ----------------------------------------------------------------------


def header():
    return "\n".join(re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
                     for path in HEADERS)


def type_of(text):
    """The ctypes type of a C type, the name of a parameter having been taken off."""
    text = re.sub(r"^const ", "", text.strip())
    struct = re.match(r"struct (\w+) ?(\*?)$", text)
    if struct:
        known = STRUCTS.get(struct.group(1))
        kind = getattr(library(), known) if known else None
        if not struct.group(2):
            return kind
        return ctypes.POINTER(kind) if kind else ctypes.c_void_p
    if text.startswith("enum "):
        return ctypes.c_int
    if text in TYPES:
        return TYPES[text]
    return ctypes.POINTER(TYPES[text.removesuffix("*").strip()])


def parameter_type(text):
    if text.endswith("]"):
        return ctypes.c_char_p
    return type_of(re.match(r"(.*?)\w+$", text.strip()).group(1))


def prototypes():
    found = {}
    for returns, name, parameters in re.findall(r"TALLY_API ([^;()]*?)\btally_(\w+)\(([^()]*)\);",
                                                header(), re.DOTALL):
        words = [" ".join(one.split()) for one in parameters.split(",")]
        found[name] = (type_of(" ".join(returns.split())), [parameter_type(one) for one in words])
    return found


def test_functions_are_declared_as_in_the_header(options, stack):
    del options, stack
    want = prototypes()
    must(len(want) > 30, f"only {len(want)} functions found in the header")
    for name, declared in library().FUNCTIONS.items():
        same(want[name], declared, f"tally_{name}")


def test_structs_and_numbers_are_those_of_the_header(options, stack):
    home = stack.enter_context(desk.Desk(options))
    lib = library()
    lines = []
    for struct, python in STRUCTS.items():
        lines.append((f"sizeof(struct {struct})", ctypes.sizeof(getattr(lib, python))))
        for field, _ in getattr(lib, python)._fields_:
            lines.append((f"offsetof(struct {struct}, {field})",
                          getattr(getattr(lib, python), field).offset))
    for name in ("DIMS_MAX", "MEASURES_MAX", "SERIES_DAYS_MAX", "DIGEST_BYTES", "DAY_BYTES",
                 "DAY_MIN", "DAY_MAX", "ABSENT", "UNKNOWN", "KNOWN", "CELLS", "SPANS"):
        lines.append((f"TALLY_{name}", getattr(lib, name)))
    lines += [(f"TALLY_{name.upper()}", i) for i, name in enumerate(lib.BASES)]
    codes = re.search(r"enum tally_code \{(.*?)\}", header(), re.DOTALL).group(1)
    same(re.findall(r"TALLY_(\w+)", codes), [code.name for code in lib.Code], "codes")
    lines += [(f"TALLY_{code.name}", int(code)) for code in lib.Code]
    source = home.folder / "numbers.c"
    source.write_text('#include "tally.h"\n#include <stdio.h>\nint main(void)\n{\n' + "".join(
        f'    printf("%lld\\n", (long long){text});\n' for text, _ in lines) + "}\n")
    program = home.folder / "numbers"
    run(["cc", "-I", ROOT / "report", "-I", ROOT / "base", source, "-o", program]).ended(0)
    got = [int(line) for line in run([program]).ended(0).out.split()]
    same(lines, list(zip([text for text, _ in lines], got)), "numbers of the header")


def test_types_hold(options, stack):
    del options, stack
    if not shutil.which("mypy"):
        raise desk.Skip("no mypy")
    run(["mypy", "--strict", "--ignore-missing-imports", "--cache-dir", "/dev/null",
         MODULE / "tally"]).ended(0)


# ---- rows ----------------------------------------------------------------------------------


def plain(rows):
    """As JSON has them."""
    return [{name: value.isoformat() if isinstance(value, datetime.date) else value
             for name, value in row.items()} for row in rows]


def as_command(words, by, where, basis):
    return [*words, "--basis", basis, *(["--by", ",".join(by)] if by else []),
            *(word for one in where for word in ("--where", one))]


def warnings(text):
    return [line.partition("warning: ")[2] for line in text.splitlines() if "warning: " in line]


def test_windows_are_those_of_the_command(options, stack):
    home = stack.enter_context(desk.Desk(options))
    rng = random.Random(4)
    with tally().open(home.rollup("everything")) as rollup:
        for _ in range(40):
            days = rng.choice([1, 7, 50, 200])
            end = END + datetime.timedelta(days=rng.randrange(-90, 9))
            by = rng.sample(DIMS, rng.randrange(4))
            where = rng.sample(["target=!police", "province=K*,\"*\"", "feed=quakes"],
                               rng.randrange(3))
            basis = rng.choice(BASES)
            compare = rng.sample(["previous", "year-ago"], rng.randrange(3))
            words = as_command(["window", "everything", "--days", str(days), "--end",
                                end.isoformat()], by, where, basis)
            words += ["--compare", ",".join(compare)] if compare else []
            said = home.tally(*words, "--format", "json").ended(0)
            table = rollup.window(days, rng.choice([end, end.isoformat()]), by, where, basis,
                                  compare)
            same(json.loads(said.out), plain(table), " ".join(words))
            same(warnings(said.err), list(table.notes), "notes: " + " ".join(words))


def test_windows_are_those_of_a_recount(options, stack):
    home = stack.enter_context(desk.Desk(options))
    with tally().open(home.rollup("everything")) as rollup:
        for basis in BASES:
            want = desk.recount(home.incidents, 50, END, DIMS, basis)
            got = {}
            for row in rollup.window(50, by=DIMS, basis=basis):
                got[tuple(row[dim] for dim in DIMS)] = dict(list(row.items())[7:])
            same(want, got, f"by {basis}")


def test_series_cells_and_spans_are_those_of_the_command(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for name in ("everything", "total", "nothing"):
        with tally().open(home.rollup(name)) as rollup:
            for by, where, basis in ((rollup.dims[:1], [], "start"), ((), [], "overlap"),
                                     (rollup.dims, [f"{dim}=!x" for dim in rollup.dims], "inside")):
                words = as_command(["series", name, "--days", "30", "--from", "2020-08-20", "--to",
                                    "2020-10-24"], by, where, basis)
                same(home.json(*words),
                     plain(rollup.series(30, "2020-08-20", "2020-10-24", by, where, basis)),
                     " ".join(words))
            same(home.json("dump", name), plain(rollup.cells()), f"cells of {name}")
            same(home.json("dump", name, "--spans"), plain(rollup.spans()), f"spans of {name}")
            if rollup.dims:
                same(home.json("dump", name, "--where", "province=Kabul"),
                     plain(rollup.cells({"province": "Kabul"})), "cells of Kabul")


def test_a_condition_is_for_exactly_its_text(options, stack):
    home = stack.enter_context(desk.Desk(options))
    with tally().open(home.rollup("everything")) as rollup:
        for province in desk.PROVINCES:
            want = desk.recount(home.incidents, 50, END,
                                keep=lambda one, name=province: one.province == name)[()]
            got = rollup.window(50, where={"province": province})[0]
            same(want, dict(list(got.items())[4:]), province)
        both = rollup.window(50, by="province", where={"province": ["Kabul", ""],
                                                       "feed": "attacks"})
        same(["", "Kabul"], both["province"], "two texts")


def test_a_rollup_says_what_it_is(options, stack):
    home = stack.enter_context(desk.Desk(options))
    said = {row["rollup"]: row for row in home.json("rollups")}["everything"]
    with tally().open(str(home.rollup("everything"))) as rollup:
        same((said["digest"], said["generation"], said["groups"], said["first_day"],
              said["last_day"]),
             (rollup.digest, rollup.generation, rollup.groups, rollup.first_day.isoformat(),
              rollup.last_day.isoformat()), "tally rollups")
        same(("everything", tuple(DIMS), ("killed", "wounded"), (50,)),
             (rollup.name, rollup.dims, rollup.measures, rollup.windows), "schema")
        same([("attacks", ("killed", "wounded"), END), ("quakes", ("killed",), END)],
             [(feed.name, feed.measures, feed.last_day) for feed in rollup.feeds], "feeds")
        same(END, rollup.end_day, "end_day")
        rollup.verify()
    with tally().open(home.rollup("nothing")) as rollup:
        same((None, None, 0), (rollup.first_day, rollup.last_day, rollup.groups), "nothing")
        same(0, rollup.window(50, "2020-10-24")[0]["incidents"], "the total of nothing")
        same([], list(rollup.window(50, "2020-10-24", by="province")), "rows of nothing")


def test_a_table_is_a_sequence(options, stack):
    home = stack.enter_context(desk.Desk(options))
    with tally().open(home.rollup("civilian-harm")) as rollup:
        table = rollup.window(50, by="province")
    same(len(desk.PROVINCES), len(table), "length")
    rows = list(table)
    same(rows, [table[i] for i in range(len(table))], "by position")
    same((rows[-1], rows[1:3]), (table[-1], table[1:3]), "from the end, slices")
    same([row["killed"] for row in rows], table["killed"], "a column")
    for wrong, error in ((99, IndexError), ("planet", KeyError)):
        try:
            table[wrong]
        except error:
            continue
        raise Failure(f"table[{wrong!r}] should raise {error}")


def test_days_before_the_year_1_are_texts(options, stack):
    home = stack.enter_context(desk.Sandbox(options.bin, """
[feed old]
id = id
date = date
year_min = -9999
measure.killed = killed

[rollup old]
feeds = old
measures = killed
"""))
    home.drop("old.csv", "id,date,killed\n1,-0479-08-24,3\n2,0001-01-01,4\n3,2020-01-01,5\n")
    home.once().ended(0)
    with tally().open(home.state / "rollup" / "old.rollup") as rollup:
        same(["-0479-08-24", datetime.date(1, 1, 1), datetime.date(2020, 1, 1)],
             rollup.cells()["day"], "days of cells")
        same(3, rollup.window(1, "-0479-08-24")[0]["killed"], "a window of antiquity")


# ---- failures ------------------------------------------------------------------------------


def raises(code, words, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except tally().Error as error:
        must(error.code == code and all(word in str(error) for word in words),
             f"{error!r} ({error.code!r}), not {code!r} with {words}")
        return error
    raise Failure(f"{function} {arguments} {named} should raise {code!r}")


def test_wrong_arguments_are_refused(options, stack):
    home = stack.enter_context(desk.Desk(options))
    code = tally().Code
    with tally().open(home.rollup("everything")) as rollup:
        for words, named in ((["days is 0"], {"days": 0}), (["days is 'x'"], {"days": "x"}),
                             (["calendar"], {"days": 5_000_000}),
                             (["2020-2-3"], {"end": "2020-2-3"}), (["12"], {"end": 12}),
                             (["planet", "province, target, feed"], {"by": ["planet"]}),
                             (["named twice"], {"by": ["feed", "feed"]}),
                             (["outside"], {"basis": "outside"}), (["next"], {"compare": "next"}),
                             (["write DIM=VALUE"], {"where": "Kabul"}),
                             (["planet"], {"where": {"planet": "Mars"}}),
                             (["no value"], {"where": {"province": []}}),
                             (["NUL"], {"where": {"province": "a\0b"}})):
            raises(code.INVALID, words, rollup.window, **{"days": 50, **named})
        raises(code.INVALID, ["ends before"], rollup.series, 5, "2020-02-01", "2020-01-01")
        raises(code.INVALID, ["at most"], rollup.series, 1, "0001-01-01", "9999-12-31")
    with tally().open(home.rollup("nothing")) as rollup:
        raises(code.NOT_FOUND, ["no data yet"], rollup.window, 50)
    try:
        rollup.window(50)
    except ValueError as error:
        same("the rollup is closed", str(error), "a closed rollup")
    else:
        raise Failure("a closed rollup gives figures")


def test_what_is_no_rollup_is_an_error_with_code_and_place(options, stack):
    home = stack.enter_context(desk.Desk(options))
    code = tally().Code
    raises(code.NOT_FOUND, ["No such file"], tally().open, home.folder / "absent.rollup")
    raises(code.INVALID, ["not a rollup"], tally().open, "/dev/null")
    whole = home.rollup("everything").read_bytes()
    path = home.folder / "damaged.rollup"
    for offset in random.Random(5).sample(range(len(whole)), 150):
        data = bytearray(whole)
        data[offset] ^= 0x55
        path.write_bytes(data)
        said = run([options.bin / "tally", "window", path, "--days", "9"])
        try:
            with tally().open(path) as rollup:
                rollup.window(9)
        except tally().Error as error:
            must(said.status != 0 and (error.place or error.message) in said.err,
                 f"byte {offset}: {error!r}\n{said}")
        else:
            must(said.status == 0, f"byte {offset} changed is no error, but:\n{said}")


def test_a_sum_past_64_bits_is_an_error(options, stack):
    huge = [desk.Incident("attacks", "Kabul", "police", END, END, (1 << 63) - 1, 1)
            for _ in range(2)]
    quake = desk.Incident("quakes", "Herat", "", END, END, 1, None)
    home = stack.enter_context(desk.Desk(options, [*huge, quake]))
    with tally().open(home.rollup("everything")) as rollup:
        for function, arguments in ((rollup.window, (5,)), (rollup.cells, ()),
                                    (rollup.series, (5, "2020-10-20"))):
            raises(tally().Code.OVERFLOW, ["killed does not fit"], function, *arguments)
        same([1], rollup.window(5, where={"feed": "quakes"})["killed"], "the others")


# ---- threads and files ---------------------------------------------------------------------


def test_threads_read_while_another_closes(options, stack):
    home = stack.enter_context(desk.Desk(options))
    for _ in range(20):
        rollup = tally().open(home.rollup("everything"))
        want = list(rollup.window(50, by=DIMS))
        wrong = []

        def read(rollup=rollup, want=want, wrong=wrong):
            try:
                for _ in range(20):
                    if list(rollup.window(50, by=DIMS)) != want:
                        wrong.append("other rows")
            except ValueError:
                pass  # closed

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        rollup.close()
        for thread in threads:
            thread.join()
        same([], wrong, "rows in threads")


def test_a_replaced_file_keeps_its_content(options, stack):
    home = stack.enter_context(desk.Desk(options))
    path = home.rollup("everything")
    with tally().open(path) as rollup:
        want = list(rollup.cells())
        shutil.copy(home.rollup("total"), home.folder / "new")
        os.rename(home.folder / "new", path)
        same(want, list(rollup.cells()), "what is open")
        rollup.verify()
        with tally().open(path) as new:
            same("total", new.name, "what is opened again")


def test_a_file_cut_short_in_place_ends_its_reader(options, stack):
    """As tally.h says, so that nobody takes a damaged figure for a right one."""
    home = stack.enter_context(desk.Desk(options))
    code = ("import sys, os, tally\nrollup = tally.open(sys.argv[1])\n"
            "os.truncate(sys.argv[1], 0)\nrollup.cells()\nprint('went on')\n")
    done = run([sys.executable, "-c", code, home.rollup("everything")])
    same((-signal.SIGBUS, ""), (done.status, done.out), "a truncated file")


def test_the_python_of_the_readme_runs(options, stack):
    home = stack.enter_context(desk.Desk(options))
    text = (ROOT / "README.md").read_text().partition("**Python**")[2].partition("\n\n**")[0]
    lines = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    got = run([sys.executable, "-c", lines], cwd=home.rollups).ended(0)
    rows = home.json("window", "civilian-harm", "--days", "50", "--end", "2020-10-24", "--by",
                     "province")
    want = "".join(f"{row['province']} {row['killed']}\n" for row in rows)
    same(want, got.out, "the Python of README.md")


if __name__ == "__main__":
    asked = desk.arguments(__doc__)
    desk.built_plainly(asked)
    desk.load_library(asked)
    desk.run_tests(sys.modules["__main__"], asked, "interfaces python")
