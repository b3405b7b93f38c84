"""How it works, step by step: a page for each API, drawn from a trace, and pages about descriptors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import descriptors
from completion import Ring
from page import Page, Site
from readiness import Api, Machine
from stepping import Frame, Place, found
from traces import accepted, page_of_script, parse
from tracing import golden


@dataclass(frozen=True)
class Stepper:
    name: str
    title: str
    server: str  # its source is shown
    traced: str  # its trace is the one that the steps are drawn from
    about: str
    api: Api | None  # None: completion


STEPPERS = (
    Stepper("select", "select: bits that are copied in and out", "select_srv", "select_srv",
            "Each wait hands over a bit for every descriptor. The kernel asks each of them, and writes its answer over "
            "the bits.",
            Api("select", Place("select_srv/server.c", "loop_woke(loop, pselect("),
                Place("select_srv/server.c", "FD_SET(watch->fd, &mux->want_read)"))),
    Stepper("poll", "poll: an array that is copied in at each wait", "poll_srv", "poll_srv",
            "Each wait hands over an entry for every descriptor. The kernel asks each of them, and fills in what "
            "is ready.",
            Api("poll", Place("poll_srv/server.c", "loop_woke(loop, poll_masked"),
                Place("poll_srv/server.c", "(struct pollfd){.fd = watch->fd"))),
    Stepper("epoll-level", "epoll, level-triggered: a set in the kernel", "epoll_lt", "epoll_lt",
            "A descriptor is named once. A wait walks only the ready list. What it has reported goes back to the list, "
            "and is asked again at the next wait.",
            Api("level", Place("epoll_lt/server.c", "loop_woke(loop, epoll_wait("),
                Place("epoll_lt/server.c", "EPOLL_CTL_ADD, watch->fd"))),
    Stepper("epoll-edge", "epoll, edge-triggered: only what is new", "epoll_et", "epoll_et",
            "What a wait has reported does not go back to the ready list. Only something new puts it there.",
            Api("edge", Place("epoll_et/server.c", "loop_woke(loop, epoll_wait("),
                Place("epoll_et/server.c", "EPOLL_CTL_ADD, watch->fd"))),
    Stepper("one-shot", "epoll, one-shot: armed for one event", "epoll_oneshot", "epoll_oneshot",
            "An event disarms its descriptor. A call arms it again, at the end of the turn. Here one thread does all "
            "of it (--workers 0).",
            Api("oneshot", Place("beyond/epoll_oneshot/server.c", "loop_woke(loop, epoll_wait("),
                Place("beyond/epoll_oneshot/oneshot.c", "EPOLL_CTL_ADD, slot"),
                Place("beyond/epoll_oneshot/oneshot.c", "EPOLL_CTL_MOD, slot_of"))),
    Stepper("kqueue", "kqueue: filters, and one call for everything", "kqueue_srv", "epoll_lt",
            "A filter is added once. A wait walks only the notes that are active. On Linux a library stands in for the "
            "kernel, and strace does not see kevent. So these steps are drawn from the trace of epoll_lt, which meets "
            "the same peers, with the calls that kqueue_srv makes in the same places.",
            Api("kqueue", Place("kqueue_srv/server.c", "loop_woke(loop, kevent("),
                Place("kqueue_srv/server.c", "return kevent(mux->fd, &event, 1"))),
    Stepper("io_uring", "io_uring: the kernel makes the calls", "uring", "uring",
            "The server hands over entries, which are calls to make, and takes completions, which are their results. "
            "strace sees how many entries each call hands over. Which they are follows from the source.", None),
)  # fmt: skip


def frames_of(stepper: Stepper) -> list[Frame]:
    how = f"S={stepper.traced} SCRIPT={golden.STEPPED}"
    steps, _ = parse(accepted(golden.path_of(golden.STEPPED, stepper.traced), how))
    return Ring().play(steps) if stepper.api is None else Machine(api=stepper.api).play(steps)


def pages(site: Site) -> Iterator[Page]:
    at = "steps/index.html"
    body = site.render("steps.html", at=at, steppers=STEPPERS, demos=descriptors.DEMOS, path_of=path_of)
    yield Page(at, "How it works", "steps", body, summary="What the kernel keeps, walks and hands back, step by step.")
    for stepper in STEPPERS:
        trace = page_of_script(golden.STEPPED)
        yield _page(site, stepper.name, stepper.title, stepper.about, frames_of(stepper), trace, stepper.server)
    for demo in descriptors.DEMOS:
        yield _page(site, demo.name, demo.title, demo.about, descriptors.frames_of(demo)[0])


def path_of(name: str) -> str:
    return f"steps/{name}.html"


def _page(
    site: Site, name: str, title: str, about: str, frames: Sequence[Frame], trace: str = "", server: str = ""
) -> Page:
    lines = [found(site, frame.place) if frame.place else None for frame in frames]
    body = site.render(
        "stepper.html", at=path_of(name), title=title, about=about, frames=list(zip(frames, lines)), trace=trace,
        server=server, source=site.source,
    )  # fmt: skip
    return Page(path_of(name), title, "steps", body, ("stepper.js",), about.split(". ")[0].rstrip(".") + ".")
