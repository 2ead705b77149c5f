#!/usr/bin/env python3
"""Bad content: each file ends in one clear message, and the next file is taken in as ever."""

import gzip
import io
import sys
import zipfile

import fault
from fault import GOOD, HEADER, must

ROW = "B-1,1,2020-10-05,Kabul,5,6\n"


def refuses(options, content, *words, name="bad.csv", config=None):
    """The whole file goes to rejected/ with its reason; the good one behind it counts."""
    with fault.Sandbox(options.bin, config or fault.config()) as box:
        box.drop(name, content)
        box.drop("good.csv", GOOD)
        box.once().ended(1).says("file_rejected", name, *words)
        box.holds("done", "good.csv")
        box.holds("rejected", name, name + ".reason.txt")
        reason = (box.state / "rejected" / (name + ".reason.txt")).read_text()
        must(all(word in reason for word in words), f"the reason beside it is only: {reason}")
        must(fault.killed(box) == 4, "something of the refused file counts")
        outcomes = {row["file"]: row["outcome"] for row in box.table("files")}
        must(outcomes == {name: "rejected", "good.csv": "accepted"}, f"tally files: {outcomes}")
        box.tally("verify").ended(0)


def sets_aside(options, content, want, counted, name="bad.csv", config=None):
    """Rejects rows, as (line, reason); the rest of the file counts."""
    with fault.Sandbox(options.bin, config or fault.config()) as box:
        box.drop(name, content)
        box.drop("good.csv", GOOD)
        box.once().ended(0).says("file_accepted", name, f"rejected={len(want)}")
        box.holds("done", name, "good.csv")
        rejected = [(int(row["line"]), row["reason"])
                    for row in box.table("files", "--rejected")]
        must(rejected == want, f"set aside: {rejected}, not {want}")
        must(len(box.names("rejected")) == (1 if want else 0), f"{box.names('rejected')}")
        must(fault.killed(box) == 4 + counted, f"killed {fault.killed(box)}, not {4 + counted}")


def test_rows_that_are_older_than_what_is_kept_are_told(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("new.csv", HEADER + ROW.replace(",1,", ",2,", 1))
        box.once().ended(0)
        box.drop("old.csv", HEADER + ROW)
        box.once().ended(0).says("file_accepted", "old.csv", "rows=1", "added=0", "revised=0",
                                 "unchanged=0", "older=1")


def test_no_matching_header(options, _):
    refuses(options, "colour,size\n2020-10,17\n", "no feed has such columns", "colour")


def test_empty_file(options, _):
    refuses(options, "", "empty")


def test_blank_lines_only(options, _):
    refuses(options, "\n\n\r\n")


def test_header_only_is_an_empty_delivery(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("header.csv", HEADER)
        box.drop("good.csv", GOOD)
        run = box.once().ended(0, 1).says("header.csv")
        must(b"good.csv" in box.names("done"), str(run))
        must(fault.killed(box) == 4, "a header counts for something")


def test_torn_inside_a_record(options, _):
    """Cut after each byte of the last record: refused, unless the record is complete."""
    whole = HEADER + "T-1,1,2020-10-03,Kabul,7,1\n" + "T-2,1,2020-10-04,Herat,8,22"
    start = whole.index("T-2")
    for cut in range(start + 1, whole.rindex(",") + 1, 3):
        refuses(options, whole[:cut], "cut short", "line 3", "record 2")


def test_a_complete_last_record_without_line_end_counts(options, _):
    sets_aside(options, HEADER + ROW.rstrip(), [], 5)


def test_unterminated_is_refused_where_the_feed_says_so(options, _):
    refuses(options, HEADER + ROW.rstrip(), "cut short",
            config=fault.config().replace("id = id\n", "id = id\nfinal_newline = required\n"))


def test_unclosed_quote_costs_one_record(options, _):
    sets_aside(options, HEADER + 'Q-1,1,2020-10-05,"Kabul,5,6\n' + ROW + ROW.replace("B-1", "B-2"),
               [(2, "open-quote")], 10)


def test_nul_bytes(options, _):
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("nul.csv", HEADER.encode() + b"N-1,1,2020-10-05,Ka\0bul,5,6\n" + ROW.encode())
        box.drop("zeros.csv", bytes(100_000))
        box.drop("good.csv", GOOD)
        run = box.once().ended(1).says("file_rejected", "zeros.csv").says("nul.csv", "rejected=1")
        must(b"good.csv" in box.names("done"), str(run))
        must(fault.killed(box) == 9, "the row without NUL counts, the other does not")


def test_carriage_returns_alone_end_lines(options, _):
    sets_aside(options, (HEADER + ROW).replace("\n", "\r"), [], 5)


def test_carriage_returns_and_line_feeds(options, _):
    sets_aside(options, (HEADER + ROW).replace("\n", "\r\n"), [], 5)


def test_byte_order_mark(options, _):
    sets_aside(options, b"\xef\xbb\xbf" + (HEADER + ROW).encode(), [], 5)
    sets_aside(options, b"\xef\xbb\xbf" + ('"id"' + HEADER[2:] + ROW).encode(), [], 5)


def test_byte_order_mark_alone(options, _):
    refuses(options, b"\xef\xbb\xbf", "nothing but blank lines")


def test_invalid_utf8_rejects_the_row(options, _):
    sets_aside(options, HEADER.encode() + b"U-1,1,2020-10-05,K\xffbul,5,6\n" + ROW.encode(),
               [(2, "text-encoding")], 5)


def test_bad_values(options, _):
    bad = ["V-1,1,2020-02-30,Kabul,1,1", "V-2,1,2020-10-05,Kabul,many,1",
           "V-3,1,2020-10-05,Kabul,-4,1", "V-4,1,2020-10-05,Kabul,99999999999999999999,1",
           "V-5,1,2020-10-05,Kabul,12.5,1", ",1,2020-10-05,Kabul,1,1",
           "V-7,1,2020-10-05,Kabul,1", "V-8,1,2020-10-05,Kabul,1,1,1", "V-9,1,,Kabul,1,1"]
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("bad.csv", HEADER + "\n".join(bad) + "\n" + ROW)
        box.once().ended(0).says("bad.csv", f"rejected={len(bad)}")
        lines = [int(row["line"]) for row in box.table("files", "--rejected")]
        must(lines == list(range(2, 2 + len(bad))), f"set aside: lines {lines}")
        must(fault.killed(box) == 5, "a bad row counts")


def test_a_snapshot_whose_scopes_no_batch_holds_is_refused(options, _):
    config = fault.config().replace("id = id\n", "id = id\nmode = snapshot\nscope = province\n")
    rows = "".join(f"S-{i},1,2020-10-05,{i:0{10**6}d},1,1\n" for i in range(17))
    refuses(options, HEADER + rows, "17 scopes", "several files", config=config)


def test_sums_beyond_64_bits_are_exact(options, _):
    most = 2**63 - 1
    with fault.Sandbox(options.bin, fault.config()) as box:
        box.drop("1.csv", HEADER + f"O-1,1,2020-10-05,Kabul,{most},1\n"
                 + f"O-2,1,2020-10-05,Kabul,{most},1\n")
        box.drop("2.csv", HEADER + ROW)
        box.once().ended(0)
        must(fault.killed(box) == 2 * most + 5, f"{fault.killed(box)} is not {2 * most + 5}")


def test_a_record_that_is_too_long_is_set_aside_wherever_it_stands(options, _):
    short = fault.config("record_max = 256\nfield_max = 100")
    for bytes_count in (90, 101, 240, 300, 600, 5000, 100_000):
        long = f"L-1,1,2020-10-05,{'x' * bytes_count},5,6\n"
        want = [] if bytes_count <= 100 else ["field-too-long", "record-too-long"]
        for content, line in ((HEADER + long + ROW, 2), (HEADER + ROW + long, 3)):
            with fault.Sandbox(options.bin, short) as box:
                box.drop("long.csv", content)
                box.once().ended(0)
                got = [(int(row["line"]), row["reason"])
                       for row in box.table("files", "--rejected")]
                must(bool(got) == bool(want) and all(at == line and reason in want
                                                     for at, reason in got),
                     f"{bytes_count} bytes at line {line}: set aside {got}")
                must(fault.killed(box) == (5 if want else 10), "other rows count")


def test_too_many_columns(options, _):
    refuses(options, ",".join(f"c{i}" for i in range(200_000)) + "\n1\n", "line 1", "at most 4096")


def test_a_cut_gzip(options, _):
    whole = gzip.compress(fault.rows("Z", 5000).encode())
    refuses(options, whole[:len(whole) // 2], name="bad.csv.gz")
    refuses(options, whole[:-1], name="bad.csv.gz")
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 0x10
    refuses(options, bytes(broken), name="bad.csv.gz")


def test_a_zip_archive(options, _):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bad.csv", HEADER + ROW)
    refuses(options, archive.getvalue(), "is a ZIP archive", "unzip -p", name="bad.csv.zip")


def test_a_gzip_bomb(options, _):
    bomb = gzip.compress(HEADER.encode() + b"B-1,1,2020-10-05," + bytes(50_000_000), 1)
    refuses(options, bomb, name="bomb.csv.gz",
            config=fault.config("inflated_max = 8M\ninflate_ratio_max = 100"))


SCOPES = 200_000


def test_a_snapshot_of_very_many_scopes_ends(options, stack):
    """A column that was taken for countries and holds something else in each row: not quadratic."""
    config = fault.config().replace("id = id\n", "id = id\nmode = snapshot\nscope = province\n")
    box = stack.enter_context(fault.Sandbox(options.bin, config))
    for revision in (2, 3):
        box.drop("many.csv", HEADER + "".join(f"S-{i},{revision},2020-10-05,p{i},1,\n"
                                              for i in range(SCOPES)))
        box.once().ended(0)
    must(fault.killed(box) == SCOPES, f"{fault.killed(box)} count")
    box.drop("older.csv", HEADER + "S-0,1,2020-10-05,p0,7,\nS-x,1,2020-10-05,new,8,\n")
    box.once().ended(0)
    must(fault.killed(box) == SCOPES + 8, "a scope that is in force was replaced by an older one")
    box.tally("verify").ended(0)


def add_parser(parser):
    parser.add_argument("--parser", choices=["split", "libcsv"], default="split",
                        help="how CSV is read (split)")


if __name__ == "__main__":
    asked = fault.arguments(__doc__, add_parser)
    fault.PARSER = asked.parser
    fault.run_tests(sys.modules[__name__], asked, "fault content")
