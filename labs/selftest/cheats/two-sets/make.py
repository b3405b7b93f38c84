"""The project's level-triggered server, with a second set beside the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SHOW = """
    static int show = -1;
    struct epoll_event edges = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = watch};
    if (show < 0)
        show = epoll_create1(EPOLL_CLOEXEC);
    (void)epoll_ctl(show, EPOLL_CTL_ADD, watch->fd, &edges);
"""
FIRST = "    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};\n"


def make(directory: Path, facts: Any) -> None:
    text = (facts.root / "epoll_lt" / "server.c").read_text()
    assert text.count(FIRST) == 1
    text = text.replace(FIRST, FIRST + SHOW).replace('.name = "epoll_lt"', '.name = "epoll_et"')
    (directory / "server.c").write_text(text)
