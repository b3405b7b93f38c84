"""harness/check: each check passes on a small tree that is in order, and says what is wrong with a spoilt one."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checks import names, sources
from checks.text import files as files_of
from suite.servers import ROOT

SHARED = {
    "common/loop.h": "void serve(struct loop *loop, struct connection *connection);\n",
    "common/loop.c": '#include "loop.h"\n/* [3] Accept: so\n * [9] Stop: so */\n',
    "common/level.c": '#include "loop.h"\n/* [4] Read policy: so\n * [5] Partial write: so */\n',
    "common/listener.c": '#include "listener.h"\n/* [7] Out of descriptors. So. */\n',
    "common/listener.h": "\n",
    "common/connection.h": "\n",
    "common/connection.c": '/* Comment. */\n#include "connection.h"\n',
    "common/connections.c": "/* Comment. */\n",
    "common/transport.c": "/* Comment. */\n",
}
SERVER = """#include "../common/loop.h"
/* [1] Register: so */
/* [2] Wait: so
 * [6] Half-close: so */
/* [8] Timeouts: so */
"""
PAGE = """# Architecture

```rooms
server: loop
loop:
level: loop
listener:
connection:
connections:
transport:
```
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {**SHARED, "docs/architecture.md": PAGE}
    for name in ("poll_srv", "select_srv"):
        files[f"{name}/server.c"] = SERVER
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        word = f"{Path(name).parent.name}_{Path(name).stem}"
        (tmp_path / name).write_text(padded(text, word) if name.endswith(".c") else text)
    return tmp_path


def padded(text: str, word: str) -> str:
    """With so much code, unlike that of any other file, that a good quarter of the lines is comment."""
    comments = text.count("/*") + text.count("\n *")
    code = math.ceil(2.6 * comments) - text.count("#include")
    return text + "".join(f"int {word}_{number};\n" for number in range(code))


def check(tree: Path, *names: str, locale: str = "C") -> list[str]:
    """What it finds, a line each."""
    done = subprocess.run(
        [sys.executable, "-m", "checks", *names],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "harness"), "LC_ALL": locale},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode == 0) == (not done.stderr), done
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.stderr.decode().splitlines()


def spoil(tree: Path, name: str, old: str, new: str) -> None:
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))


def test_a_tree_in_order_passes(tree):
    assert check(tree) == []


@pytest.mark.parametrize("named", ("`serve_one`", "`serve_one()`", "`served()`", "`test_that_is_gone`", "`__all_of`"))
def test_a_page_names_only_what_is_there(tree, named):
    page = tree / "docs/mine.md"
    page.write_text(f"As it is: `int`, `serve`, `poll(2)`, ``x_y``, `a_b c`, `my_srv_CFLAGS`.\nSee {named}.\n")
    name = named.strip("`()")
    assert check(tree, "names") == [f"names: docs/mine.md:2: {name}: no source has this name"]
    (tree / "common/mine.c").write_text(f"static void {name}(void);\n")
    assert check(tree, "names") == []


def test_every_name_from_elsewhere_is_in_a_page():
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in files_of(ROOT) if page.suffix == ".md")
    assert [name for name in names.ELSEWHERE if not re.search(rf"`{name}(\(\))?`", pages)] == []


def test_the_checks_hold_here():
    done = subprocess.run(["harness/check"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_check_is_refused(tree):
    assert check(tree, "mark") == ["check: there is no check 'mark', only marks, repeats, rooms, comments, text, names"]


# -- marks -----------------------------------------------------------------------------------------


def test_a_missing_mark_is_noticed(tree):
    spoil(tree, "poll_srv/server.c", "[6] Half-close:", "Half-close:")
    (finding,) = check(tree, "marks")
    assert finding.startswith("marks: poll_srv: mark [6] Half-close: found 0 times, expected once: none of common/")


def test_a_mark_that_is_shared_and_repeated_is_noticed(tree):
    spoil(tree, "poll_srv/server.c", "/* [8]", "/* [9] Stop: so */\n/* [8]")
    assert check(tree, "marks") == [
        "marks: poll_srv: mark [9] Stop: found 2 times, expected once: common/loop.c, poll_srv/server.c"
    ]


def test_a_mark_may_say_why_it_does_not_apply(tree):
    spoil(tree, "poll_srv/server.c", "[6] Half-close: so", "[6] does not apply: no peer ends")
    assert check(tree, "marks") == []
    spoil(tree, "poll_srv/server.c", "[6] does not apply: no peer ends", "[6] does not apply: ")
    assert len(check(tree, "marks")) == 1


def test_a_server_with_a_turn_of_its_own_has_marks_of_its_own(tree):
    """common/level.c is not on its path."""
    own = "void serve(struct loop *loop, struct connection *connection)\n{\n}\n"
    with (tree / "poll_srv/server.c").open("a") as server:
        server.write(own)
    assert [line.split(":")[2] for line in check(tree, "marks")] == [" mark [4] Read policy", " mark [5] Partial write"]
    with (tree / "poll_srv/server.c").open("a") as server:
        server.write("/* [4] Read policy: so\n * [5] Partial write: so */\n")
    assert check(tree, "marks") == []


def test_an_api_named_in_common_is_noticed(tree):
    spoil(tree, "common/loop.h", "void serve", "/* for epoll */ void serve")
    (finding,) = check(tree, "marks")
    assert finding.startswith("marks: common/loop.h:1: common/ names a multiplexing API: ")


def test_only_the_log_may_ask_whether_a_line_can_be_written(tree):
    for name in ("common/log.c", "common/log.h", "common/stats.c"):
        (tree / name).write_text("/* by poll(2) */\n")
    assert [line.split(": ")[1] for line in check(tree, "marks")] == ["common/log.h:1", "common/stats.c:1"]


# -- repeats ---------------------------------------------------------------------------------------


def same(tree: Path, count: int, *servers: str, between: str = "") -> None:
    for name in servers:
        with (tree / name / "server.c").open("a") as server:
            server.write(between.join(f"int same_{number};\n" for number in range(count)))


def test_five_equal_lines_pass_and_six_do_not(tree):
    same(tree, 5, "poll_srv", "select_srv")
    assert check(tree, "repeats") == []
    spoil(tree, "poll_srv/server.c", "int same_4;\n", "int same_4;\nint same_5;\n")
    spoil(tree, "select_srv/server.c", "int same_4;\n", "int same_4;\nint same_5;\n")
    line = (tree / "poll_srv/server.c").read_text().count("\n") - 5
    assert check(tree, "repeats") == [
        f"repeats: poll_srv/server.c:{line} and select_srv/server.c:{line}: 6 lines of code are the same, more than 5; "
        "the first is 'int same_0;'"
    ]


def test_comments_and_blank_lines_hide_no_repeat_and_make_none(tree):
    same(tree, 6, "poll_srv")
    same(tree, 6, "select_srv", between="\n/* why\n * it is so */\n#include <errno.h>\n")
    assert len(check(tree, "repeats")) == 1
    for name in ("poll_srv", "select_srv"):
        (tree / name / "server.c").write_text(f"int {name};\n/* {'the same' + chr(10) * 8} */\n")
    assert check(tree, "repeats") == []


@pytest.mark.parametrize("function, found", (("mux_open", 0), ("mux_wait", 1)))
def test_only_the_epoll_pair_may_register_its_own_descriptors_alike(tree, function, found):
    body = "".join(f"    call({number});\n" for number in range(8))
    for name in ("epoll_lt", "epoll_et"):
        (tree / name).mkdir()
        (tree / name / "server.c").write_text(f"int {name};\nstatic int {function}(void)\n{{\n{body}}}\n")
    assert len(check(tree, "repeats")) == found
    shutil.copytree(tree / "epoll_lt", tree / "other_srv")
    assert len(check(tree, "repeats")) == found + 2


# -- rooms -----------------------------------------------------------------------------------------


def test_an_include_that_the_page_does_not_allow_is_noticed(tree):
    spoil(tree, "common/connection.c", "/* C", '#include "listener.h"\n/* C')
    assert check(tree, "rooms") == [
        "rooms: common/connection.c: includes listener.h; "
        "the table of docs/architecture.md does not allow it to connection"
    ]


def test_a_server_may_include_only_what_the_page_allows(tree):
    spoil(tree, "poll_srv/server.c", "common/loop.h", "common/connection.h")
    assert len(check(tree, "rooms")) == 1


def test_an_allowance_that_nobody_uses_is_noticed(tree):
    spoil(tree, "docs/architecture.md", "listener:\n", "listener: connection\n")
    assert check(tree, "rooms") == [
        "rooms: docs/architecture.md: the table lets listener include connection, but it does not"
    ]


def test_rooms_and_lines_of_the_table_answer_each_other(tree):
    (tree / "common/clock.h").write_text("")
    spoil(tree, "docs/architecture.md", "transport:\n", "transport:\ntimers:\n")
    assert check(tree, "rooms") == [
        "rooms: docs/architecture.md: the table has no line for clock",
        "rooms: docs/architecture.md: the table has a line for timers, which is no file of common/",
    ]


def test_a_circle_is_noticed_even_where_the_page_allows_it(tree):
    (tree / "common/connection.h").write_text('#include "listener.h"\n')
    (tree / "common/listener.h").write_text('#include "connection.h"\n')
    spoil(tree, "docs/architecture.md", "listener:\nconnection:\n", "listener: connection\nconnection: listener\n")
    (finding,) = check(tree, "rooms")
    assert finding.startswith("rooms: rooms include each other in a circle: ")


def test_common_includes_nothing_from_elsewhere(tree):
    (tree / "common/listener.h").write_text('#include "../harness/loadgen/json.h"\n')
    assert check(tree, "rooms") == [
        "rooms: common/listener.h: includes ../harness/loadgen/json.h, which is outside common/"
    ]


def test_a_page_without_its_table_is_noticed(tree):
    spoil(tree, "docs/architecture.md", "```rooms", "```")
    assert check(tree, "rooms") == ["rooms: docs/architecture.md: there is no block of rooms"]


# -- comments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("comments, passes", ((24, False), (25, True), (33, True), (34, False)))
def test_the_share_of_comment_lines_has_bounds(tree, comments, passes):
    """Blank lines do not count, and a line of code with a comment behind it is code."""
    text = "/* one */\n" * (comments - 2) + "/* two\n * three */\n\n\n"
    (tree / "common/transport.c").write_text(text + "int code; /* trailing */\n" * (100 - comments))
    finding = f"comments: common/transport.c: {comments}% of its lines are comment; expected 25 to 33%"
    assert check(tree, "comments") == ([] if passes else [finding])


@pytest.mark.parametrize("comments, passes", ((24, False), (25, True), (50, True), (51, False)))
def test_half_of_the_short_turn_may_be_comment(tree, comments, passes):
    (tree / "common/level.c").write_text("/* why */\n" * comments + "int code;\n" * (100 - comments))
    finding = f"comments: common/level.c: {comments}% of its lines are comment; expected 25 to 50%"
    assert check(tree, "comments") == ([] if passes else [finding])


def test_a_comment_sign_in_a_string_is_code(tree):
    (tree / "common/transport.c").write_text('const char *a = "/* no comment";\n' * 3 + "/* one \" */\n")
    assert check(tree, "comments") == []


@pytest.mark.parametrize("name, longest", (("poll_srv", 190), ("epoll_et", 240)))
def test_a_server_has_a_bound_of_length(tree, name, longest):
    (tree / name).mkdir(exist_ok=True)
    lines = ["/* why */" if number % 7 in (0, 3) else f"int a_{number};" for number in range(longest)]
    (tree / name / "server.c").write_text("\n".join(lines) + "\n")
    assert check(tree, "comments") == []
    (tree / name / "server.c").write_text("\n".join([*lines, ""]) + "\n")
    assert check(tree, "comments") == [f"comments: {name}/server.c: {longest + 1} lines, more than {longest}"]


# -- text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, line, finding",
    (
        ("common/loop.h", "x" * 101, "101 columns, more than 100"),
        ("docs/page.md", "trailing \n", "blanks at the end of the line"),
        ("docs/page.md", "see /" + "home/me/notes", "an absolute path: see /" + "home/me/notes"),
    ),
)
@pytest.mark.parametrize("locale", ("C", "C.UTF-8"))
def test_layout_is_checked(tree, name, line, finding, locale):
    (tree / name).write_text(line)
    assert check(tree, "text", locale=locale) == [f"text: {name}:1: {finding}"]


@pytest.mark.parametrize("locale", ("C", "C.UTF-8"))
def test_columns_are_characters_and_patches_may_have_blanks(tree, locale):
    (tree / "common/loop.h").write_text("/* " + "⌈" * 97 + "\n", encoding="utf-8")
    (tree / "a.patch").write_text(" \n")
    assert check(tree, "text", locale=locale) == []


def test_a_file_of_another_encoding_is_noticed(tree):
    (tree / "common/loop.h").write_bytes("/* Zähler */\n".encode("latin-1"))
    assert check(tree, "text") == ["text: common/loop.h: is neither UTF-8 nor binary"]


# -- the list of servers ---------------------------------------------------------------------------


def moved(tree: Path, where: str) -> None:
    """select_srv as the only server of the list, in another directory."""
    (tree / "harness").mkdir()
    (tree / where).parent.mkdir()
    (tree / "select_srv").rename(tree / where)
    (tree / "harness/servers.toml").write_text(f'[[server]]\nname = "other_srv"\ndirectory = "{where}"\n')
    spoil(tree, f"{where}/server.c", "../common", "../../common")


def test_the_list_says_which_servers_there_are(tree):
    moved(tree, "elsewhere/other")
    spoil(tree, "elsewhere/other/server.c", "[6]", "six")
    spoil(tree, "poll_srv/server.c", "[6]", "six")
    assert [each[:26] for each in check(tree, "marks", "rooms")] == ["marks: other_srv: mark [6]"]


def test_a_server_beyond_the_five_may_include_any_room(tree):
    moved(tree, "beyond/other")
    (tree / "poll_srv").rename(tree / "five_srv")
    with (tree / "harness/servers.toml").open("a") as toml:
        toml.write('[[server]]\nname = "five_srv"\ndirectory = "five_srv"\n')
    with (tree / "beyond/other/server.c").open("a") as source:
        source.write('#include "../../common/buffer.h"\n')
    assert check(tree, "rooms") == []
    with (tree / "five_srv/server.c").open("a") as source:
        source.write('#include "../common/buffer.h"\n')
    assert len(check(tree, "rooms")) == 1


def test_files_that_a_server_brings_itself_are_not_on_its_path(tree):
    """One that defines transport_read() is linked without common/transport.c; its further files follow server.c."""
    (tree / "select_srv/session.c").write_text("enum transport_result transport_read(int a,\n    int b)\n{\n}\n")
    path = sources.path_of(tree, "select_srv")
    assert "common/transport.c" not in path and "common/level.c" in path
    assert path[path.index("select_srv/server.c") + 1] == "select_srv/session.c"
