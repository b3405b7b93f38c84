"""What two servers have word for word in common belongs into common/: no six lines of code in a row are the same.

Comments, blank lines and #include lines do not count."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from checks import sources

LONGEST = 5
# The epoll servers open, register and close the same two descriptors of their own, in the same way, and take out of the
# set what another process may have open.
OPEN_AND_CLOSE = {"mux_open", "mux_close", "mux_remove"}
ALLOWED = {
    frozenset({"epoll_lt", "epoll_et"}): OPEN_AND_CLOSE,
    frozenset({"epoll_lt", "http"}): OPEN_AND_CLOSE,
    frozenset({"epoll_et", "http"}): OPEN_AND_CLOSE,
    frozenset({"http", "tls"}): OPEN_AND_CLOSE,
    # tls waits as they do, and is to be read beside them: it differs in what it waits for.
    frozenset({"epoll_lt", "tls"}): OPEN_AND_CLOSE | {"epoll_readiness", "mux_update", "mux_wait", "mux_signal"},
    frozenset({"epoll_et", "tls"}): OPEN_AND_CLOSE | {"epoll_readiness", "unqueue", "mux_wait", "mux_signal"},
}


def check(root: Path) -> list[str]:
    code = {
        name: [each for each in sources.lines(sources.read(root, f"{directory}/server.c")) if counts(each)]
        for name, directory in sources.servers(root).items()
    }
    found = []
    for first, second in combinations(code, 2):
        for a, b, length in runs(code[first], code[second], ALLOWED.get(frozenset({first, second}), set())):
            found.append(
                f"{first}/server.c:{code[first][a].number} and {second}/server.c:{code[second][b].number}: "
                f"{length} lines of code are the same, more than {LONGEST}; the first is '{code[first][a].code}'"
            )
    return found


def counts(line: sources.Line) -> bool:
    return bool(line.code) and not line.code.startswith("#include")


def runs(first: list[sources.Line], second: list[sources.Line], allowed: set[str]) -> list[tuple[int, int, int]]:
    """Where lines are the same, as index, index and length: each run once, at its whole length."""
    found = []
    ended = [0] * (len(second) + 1)  # how long the run is that ends here and at the line before in `first`
    for i, a in enumerate([*first, None]):
        length = [0] * (len(second) + 1)
        for j, b in enumerate([*second, None]):
            if a and b and a.code == b.code and not (a.function in allowed and b.function == a.function):
                length[j] = 1 + (ended[j - 1] if j else 0)
            elif j and ended[j - 1] > LONGEST:
                found.append((i - ended[j - 1], j - ended[j - 1], ended[j - 1]))
        ended = length
    return found
