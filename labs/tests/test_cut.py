"""A starter is the real file with named functions cut out."""

from __future__ import annotations

import pytest

from labkit.cut import starter
from labkit.lab import ROOT, BadLab, Cut

SOURCE = """\
#include <stddef.h>

/* Helps. */
static int help(int value)
{
    return value;
}

/* What it does,
 * in two lines. */
static long
of_two_lines(int value,
             int other)
{
    if (value) {
        return help(other);
    }
    return 0;
}

int main(void)
{
    return (int)of_two_lines(1, 2);
}
"""


def test_the_body_gives_way_to_the_task():
    cut = Cut("main", "Call it,  and say\nwhat it returns.", "\n    return 0;\n")
    assert starter("x.c", SOURCE, [cut]).endswith(
        "int main(void)\n{\n    /* Yours to write: Call it, and say what it returns. */\n    return 0;\n}\n"
    )


def test_a_long_task_keeps_to_100_columns():
    lines = starter("x.c", SOURCE, [Cut("main", "word " * 60, "    return 0;")]).splitlines()
    assert max(map(len, lines)) <= 100 and any(line.startswith("     * word") for line in lines)


def test_everything_else_stays():
    cut = Cut("help", "Help.", "    return 0 * value;")
    left = starter("x.c", SOURCE, [cut])
    assert left.replace("    /* Yours to write: Help. */\n    return 0 * value;\n", "    return value;\n") == SOURCE


def test_helpers_of_the_answer_go_with_it():
    """of_two_lines() is called by main() alone, and help() by of_two_lines() alone."""
    cut = Cut("main", "Write it.", "    return 0;")
    assert "help" in starter("x.c", SOURCE, [cut])
    left = starter("x.c", SOURCE, [cut], drop_unused=True)
    assert left.startswith("#include <stddef.h>\n\nint main(void)\n{\n") and "elps" not in left


@pytest.mark.parametrize("name", ["absent", "of", "return"])
def test_a_function_that_is_not_there_is_refused(name):
    with pytest.raises(BadLab, match=f"x.c: no function '{name}' to cut out"):
        starter("x.c", SOURCE, [Cut(name, "", "")])


def test_every_function_of_the_servers_is_found():
    """The layout that clang-format gives is what the cutter relies on."""
    from labkit.cut import functions

    lines = (ROOT / "epoll_et" / "server.c").read_text().splitlines()
    names = [each.name for each in functions(lines)]
    assert names[:4] == ["epoll_readiness", "mux_open", "mux_close", "mux_add"] and names[-2:] == ["serve", "main"]
    assert len(names) == lines.count("{")
