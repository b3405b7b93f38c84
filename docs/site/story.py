"""One server as a story: every block on its path, in the order in which one byte meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

import bugs
import colours
import csource
import drawings
import places
from csource import Block
from diagrams import Diagram
from linking import Linker
from mutants.manifest import Mutant
from page import Page, Site
from places import WHOLE, story_of
from suite.servers import FIVE, Kind


@dataclass(frozen=True)
class Chapter:
    name: str
    title: str
    says: str
    functions: tuple[str, ...]  # those on the path, in this order; what a server does not have is left out
    diagram: str = ""  # "wake-up", "api", "turn" or "connection"


WAY = (
    Chapter(
        "start", "It starts",
        "main hands over to the loop. The loop opens the API and watches the listener. Then the ready line is printed.",
        ("main", "loop_main", "loop_open", "mux_open", "listener_open", "loop_run"),
    ),
    Chapter(
        "loop", "The loop: one wake-up",
        "The loop waits, walks through what is ready, and then does once what is due once a wake-up.",
        ("turn", "next_deadline", "mux_wait", "ring_wait", "loop_woke", "loop_ready"), "wake-up",
    ),
    Chapter(
        "accept", "A peer connects",
        "The listener is ready. Its peers are accepted after the walk, and each is handed to the API.",
        ("accept_peers", "accepting_update", "accepting_completed", "listener_wants", "listener_accept",
         "listener_admit", "loop_admit", "connections_open"),
    ),
    Chapter(
        "api", "The API watches it",
        "From now on the API reports when a call on it will not block, or, with io_uring, that a call is done.",
        ("mux_add", "flight_receive", "mux_update", "set_interest", "poll_interest", "select_readiness",
         "poll_readiness", "epoll_readiness", "readiness_of"), "api",
    ),
    Chapter(
        "turn", "Its turn: the byte is read",
        "The event arrives, and the connection has its turn. Only the call itself says what has happened.",
        ("serve", "worker_serve", "receive_completed", "transport_read", "connection_room", "connection_received",
         "take_frames"), "turn",
    ),
    Chapter(
        "echo", "The echo leaves",
        "A whole frame goes out from where it was received. What send(2) does not take stays in the buffer.",
        ("flight_send", "transport_write", "connection_output", "connection_sent"),
    ),
    Chapter(
        "connection", "The turn ends: what is wanted now",
        "The connection says what it wants. When that differs from what the API was asked for, the API is told.",
        ("loop_settle", "settle", "connection_settle", "update_pause", "connection_wants", "connections_update"),
        "connection",
    ),
    Chapter(
        "end", "The stream ends",
        "The peer sends FIN. What is pending leaves, FIN follows, and the descriptor is closed after the walk.",
        ("connection_ended", "stop_taking_frames", "connection_owes_fin", "transport_send_fin", "connection_fin_sent",
         "connection_failed", "connection_close", "mux_remove", "connections_retire", "connections_reap"),
    ),
    Chapter(
        "time", "Time is up",
        "Timeouts stand in queues whose heads are due first. A connection has a last turn before it ends.",
        ("expire", "connections_overdue", "last_turn", "is_idle", "connections_touch", "connections_deadline"),
    ),
    Chapter(
        "stop", "It stops",
        "A signal comes in like an event. Each connection answers what has come, and the server ends.",
        ("mux_signal", "take_signals", "begin_stop", "stop_accepting", "connection_finish", "loop_close", "mux_close"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    block: Block
    place: str  # for href(): on this page, or in the story that has it
    here: bool
    prose: Markup
    code: Markup
    bugs: list[Mutant]


def pages(site: Site) -> Iterator[Page]:
    at = "story/index.html"
    five = [each for each in site.kinds if each.name in FIVE]
    beyond = [each for each in site.kinds if each.name not in FIVE]
    yield Page(at, "One server as a story", "story", site.render("stories.html", at=at, five=five, beyond=beyond))
    for kind in site.kinds:
        yield story(site, kind)


def story(site: Site, kind: Kind) -> Page:
    at = story_of(kind.name)
    path = places.path(site.root, kind.directory)
    anchors = csource.anchors(path)
    shared = {(each.file, each.line): anchor for each, anchor in csource.anchors(places.path(site.root, WHOLE)).items()}
    placed = {
        each: f"{at}#{anchors[each]}" if _is_told(kind, each) else f"{story_of(WHOLE)}#{shared[each.file, each.line]}"
        for each in path
    }
    linker = Linker(site, at, {block.name: place for block, place in placed.items() if block.is_function})
    left = list(path)
    chapters = []
    for chapter in WAY:
        blocks = [each for name in chapter.functions for each in left if each.is_function and each.name == name]
        left = [each for each in left if each not in blocks]
        told = [_told(site, linker, each, placed[each], _is_told(kind, each)) for each in blocks]
        chapters.append((chapter, _diagram(site, at, chapter, kind), told))
    rest: dict[str, list[Told]] = {}
    for block in left:
        rest.setdefault(block.file, []).append(_told(site, linker, block, placed[block], _is_told(kind, block)))
    body = site.render("story.html", at=at, kind=kind, chapters=chapters, rest=rest, whole=WHOLE)
    summary = f"{kind.label}: one byte's way through {kind.name}."
    return Page(at, f"{kind.name} as a story", "story", body, summary=summary)


def _is_told(kind: Kind, block: Block) -> bool:
    """Is it on the page in full? Every server has its own files there, and one server has all that they share. The
    others of the five also have what the byte meets; those beyond the five link to it."""
    met = any(block.name in chapter.functions for chapter in WAY) and block.is_function
    return not block.file.startswith("common/") or kind.name == WHOLE or (kind.name in FIVE and met)


def _told(site: Site, linker: Linker, block: Block, place: str, here: bool) -> Told:
    prose = code = Markup("")
    if here:
        prose = linker.comment(block.comment)
        code = Markup("\n").join(linker.code(line) for line in colours.lines(block.code, "c"))
    return Told(block, place, here, prose, code, bugs.of_function(site.root, block.file, block.name))


def _diagram(site: Site, at: str, chapter: Chapter, kind: Kind) -> Markup:
    diagrams: dict[str, Diagram] = {
        "wake-up": drawings.WAKE_UP, "api": drawings.api_of(kind), "turn": drawings.turn_of(kind),
        "connection": drawings.CONNECTION,
    }  # fmt: skip
    return diagrams[chapter.diagram].draw(site, at) if chapter.diagram else Markup("")
