"""What is particular to several loops in one process: how they share peers, signals, limits and statistics."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from suite import kernel, needs, preload, servers, waiting
from suite.churn import Churn
from suite.flood import Flood
from suite.frames import payload
from suite.peer import Peer
from suite.replaced import StandIn
from suite.server import Server
from suite.strace import UNDER_STRACE, calls_of, failing
from suite.supervisor import supervisor

pytestmark = [pytest.mark.only(name="epoll_loops"), pytest.mark.inside]

WAYS = ("handed", "reuseport", "shared", "exclusive")
every_way = pytest.mark.parametrize("way", WAYS)
needs_proc = pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)

LOOPS = 3


def options(way: str, loops: int = LOOPS) -> tuple[str, ...]:
    return ("--loops", str(loops), "--listen", way)


def limit_to(server: Server, room: int) -> None:
    """Lowers the server's descriptor limit, so that `room` more descriptors can be opened."""
    limit = kernel.descriptors(server.pid) + room
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))


def connections(server: Server) -> list[int]:
    return server.statistics()["loops"]["connections"]


# -- peers -----------------------------------------------------------------------------------------


@every_way
@pytest.mark.cause("a listener that no loop accepts from, or a peer that is lost between two threads")
def test_every_peer_is_served(start, way):
    server = start(*options(way))
    peers = [server.connect() for _ in range(60)]
    for i, peer in enumerate(peers):
        peer.echo(payload(3000, i))
    statistics = server.statistics()
    assert statistics["connections"] == sum(statistics["loops"]["connections"]) == 60
    final = server.stop()
    for name in ("accepted", "frames"):
        assert final[name] == sum(final["loops"][name]) == 60
    assert final["loops"]["connections"] == [0] * LOOPS and final["closed"]["end"] == 60


@every_way
@pytest.mark.cause("one event stands for many peers, and the loop accepts fewer")
def test_many_peers_in_one_wake_up(start, way):
    server = start(*options(way))
    with server.frozen():
        peers = [server.connect() for _ in range(600)]
    for i, peer in enumerate(peers):
        peer.echo(payload(10, i))


@pytest.mark.cause("a loop is left out, or gets two peers in a row")
def test_handed_over_evenly(start):
    server = start(*options("handed", 4))
    for i in range(40):
        server.connect().echo(payload(10, i))
    assert connections(server) == [10, 10, 10, 10]


@needs.descriptors(2100)
@pytest.mark.cause("loops share a listener, and the group of SO_REUSEPORT has fewer members than there are loops")
def test_a_hash_spreads_peers(start):
    server = start(*options("reuseport", 4))
    server.connect_many(2000)
    spread = connections(server)
    assert sum(spread) == 2000 and max(spread) <= 1.4 * min(spread), spread


@pytest.mark.cause("SO_REUSEPORT lets a second program of the same user onto the port")
def test_a_port_that_is_in_use_is_an_error(start):
    first = start(*options("reuseport"))
    port = str(first.address[1])
    with pytest.raises(AssertionError, match="Address already in use"):
        Server("epoll_loops", *options("reuseport"), "--port", port)
    with socket.socket() as other, pytest.raises(OSError):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(first.address)
        other.listen()


@needs.to_trace
@pytest.mark.skipif(servers.sanitizer() is not None, reason="a sanitizer makes calls of its own")
@pytest.mark.cause("without SO_REUSEPORT the second loop cannot listen, and the line does not say why")
@pytest.mark.parametrize("when", (4, 6), ids=("first", "second"))
def test_a_system_without_reuseport(when):
    wrapper = failing("setsockopt", "ENOPROTOOPT", when)  # among four calls for each listener
    with pytest.raises(AssertionError, match="setsockopt SO_REUSEPORT.*Protocol not available"):
        Server("epoll_loops", *options("reuseport"), wrapper=wrapper)


@needs.ipv6
@pytest.mark.cause("the port of an IPv6 address is read as that of an IPv4 address")
def test_several_listeners_on_ipv6(start):
    server = start(*options("reuseport"), "--bind", "::1")
    for _ in range(30):
        server.connect().echo(b"six")


# -- limits ----------------------------------------------------------------------------------------


@every_way
@pytest.mark.cause("--max-conns counts the connections of each loop by itself")
def test_max_conns_is_a_limit_of_the_process(start, way):
    server = start(*options(way), "--max-conns", "4")
    served = [server.connect("served") for _ in range(4)]
    for peer in served:
        peer.echo(b"in")
    for _ in range(9):
        server.connect("one too many").expect_gone()
    served.pop().close()
    server.wait_statistics(lambda s: s["connections"] == 3, "one gone")
    server.connect("next").echo(b"in")
    statistics = server.stop()
    assert (statistics["accepted"], statistics["refused"]) == (5, 9)


def is_refused(peer: Peer) -> bool:
    """It has sent nothing, so it hears only of its end."""
    return peer.has_input()


@needs_proc
@every_way
@pytest.mark.cause("each loop has a descriptor to spare, and refuses a peer a second with it")
def test_all_loops_together_refuse_one_peer_a_second(start, way):
    server = start(*options(way))
    limit_to(server, 0)
    began = time.monotonic()
    with server.frozen():
        peers = [server.connect("waits") for _ in range(40)]
    waiting.until(lambda: any(is_refused(peer) for peer in peers), "a peer refused")
    for _ in range(3):  # by the third answer every loop has had its turn with the listener
        server.statistics()
    refused = server.statistics()["refused"]
    assert 1 <= refused <= 1 + time.monotonic() - began, f"{refused} were refused"


@needs_proc
@every_way
@pytest.mark.cause("a listener that rests is closed, spins, ends the server, or does not hear of a free descriptor")
def test_waiting_peers_are_served_as_loops_close_descriptors(start, way):
    server = start(*options(way))
    limit_to(server, 4)
    served = [server.connect("served") for _ in range(4)]
    for peer in served:
        peer.echo(b"x")
    waits = [server.connect("waits") for _ in range(12)]
    waiting.until(lambda: any(is_refused(peer) for peer in waits), "a peer refused")
    statistics = server.statistics()
    time.sleep(0.3)  # not a wait for anything: the time over which nothing may happen
    assert server.statistics()["waits"] - statistics["waits"] < 20, "a loop without a descriptor does not sleep"
    for peer in served:
        peer.close()
    waiting.until(lambda: server.statistics()["accepted"] >= 8, "four of those that wait are served")
    limit_to(server, 20)
    for peer in waits:
        if not is_refused(peer):
            peer.echo(b"at last")
    assert server.statistics()["refused"] < 8


thief = preload.library("../../../harness/conformance/take_free_descriptor.c")


@needs_proc
@preload.needed
@pytest.mark.parametrize("way", ("shared", "exclusive"))
@pytest.mark.cause("a loop that has lost its spare descriptor takes the right to refuse, and cannot use it")
def test_a_loop_without_a_spare_leaves_the_right_to_refuse(start, thief, way):
    """Between close(2) of the spare and accept(2) another loop may take the free slot."""
    server = start(*options(way), environment={"LD_PRELOAD": str(thief), "ROBBED_ONCE": "1"})
    limit_to(server, 0)
    waits = [server.connect("waits") for _ in range(8)]

    def no_spares() -> bool:
        return kernel.open_files(server.pid).count("/dev/null") == 1  # standard input

    five = "five of them refused, one a second, as long as a loop has a spare"
    waiting.until(lambda: no_spares() or sum(is_refused(peer) for peer in waits) >= 5, five)


hold_when_full = preload.library("hold_when_full.c")


def one_in_each(server: Server) -> list[Peer]:
    """A peer for each of two loops, in their order."""
    found: dict[int, Peer] = {}
    while len(found) < 2:
        before = connections(server)
        peer = server.connect("served")
        peer.echo(b"x")
        loop = next(i for i, count in enumerate(connections(server)) if count > before[i])
        if loop in found:
            peer.close()
            server.wait_statistics(lambda s: s["connections"] == 1, "gone")
        else:
            found[loop] = peer
    return [found[0], found[1]]


@needs.to_trace
@preload.needed
@pytest.mark.parametrize("way", ("handed", "reuseport"))
@pytest.mark.cause("a descriptor becomes free while a listener is about to rest for want of one, and it is not told")
def test_a_descriptor_that_is_free_before_the_rest_begins(start, hold_when_full, tmp_path, way):
    """Counted: the listener asks its API for nothing else than before."""
    trace, lock = tmp_path / "trace", tmp_path / "lock"
    wrapper = ["strace", "-f", "-e", "trace=poll,epoll_ctl", "-o", str(trace)]
    with lock.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        environment = {**UNDER_STRACE, "LD_PRELOAD": str(hold_when_full), "HOLD": str(lock)}
        server = start(*options(way, 2), wrapper=wrapper, environment=environment)
        served = one_in_each(server)
        limit_to(server, 0)
        refused = server.connect("refused")
        by = tmp_path / "lock.by"
        waiting.until(by.is_symlink, "an accept without a descriptor")
        before = kernel.descriptors(server.pid)
        threads = sorted(int(task.name) for task in kernel.threads(server.pid))  # the main thread, loop 0, loop 1
        served[int(os.readlink(by)) == threads[1]].close()
        waiting.until(lambda: kernel.descriptors(server.pid) == before - 1, "a free descriptor")
        waiting.until(lambda: kernel.rests(server.pid), "the loop that closed it has told whoever rests")
        limit_to(server, 10)  # nothing else lacks one from now on
    refused.expect_gone()
    server.connect("waits").echo(b"there is room")
    server.stop()
    assert not [call for call in calls_of(trace) if "events=0}" in call[1] or "EPOLL_CTL_MOD" in call[1]], "it rested"


no_memory_for_an_entry = preload.library("no_memory_for_an_entry.c")


@needs_proc
@preload.needed
@pytest.mark.cause("a listener whose rest is over cannot be watched again just then, and the server ends")
def test_a_rest_that_ends_while_there_is_no_memory(start, no_memory_for_an_entry):
    server = start(*options("exclusive", 1), environment={"LD_PRELOAD": str(no_memory_for_an_entry)})
    limit_to(server, 1)
    served = server.connect("served")
    served.echo(b"x")
    waits = [server.connect("waits") for _ in range(2)]
    waiting.until(lambda: any(is_refused(peer) for peer in waits), "a peer refused")
    served.close()
    server.wait_statistics(lambda s: s["accepted"] == 2, "the other one accepted")
    [peer] = [each for each in waits if not is_refused(each)]
    peer.echo(b"at last")


def busy(server: Server) -> bool:
    """Does a thread of it run?"""
    states = [(task / "stat").read_text().rsplit(")", 1)[1].split()[0] for task in kernel.threads(server.pid)]
    return "R" in states


# -- signals ---------------------------------------------------------------------------------------


@every_way
@pytest.mark.cause("one loop takes the signal, and the others never hear of it")
def test_a_stop_reaches_every_loop(start, way):
    server = start(*options(way), "--drain-timeout", "60")
    peers = [server.connect() for _ in range(30)]
    for peer in peers:
        peer.echo(b"x")
    server.signal(signal.SIGTERM)
    for peer in peers:
        peer.expect_end()
        peer.close()
    assert server.wait_exit() == 0
    final = server.stop()
    assert final["closed"]["stop"] == 30 and final["loops"]["connections"] == [0] * LOOPS


@pytest.mark.cause("nobody listens for signals any more when the loop that did so has ended")
def test_a_second_stop_is_heard_when_other_loops_have_ended(start):
    server = start(*options("handed"), "--drain-timeout", "3600")
    idle = [server.connect("idle") for _ in range(2)]
    for peer in idle:
        peer.echo(b"x")
    Flood(server, server.connect("blocked", receive_buffer=4096), payload(100_000)).until_paused()
    server.signal(signal.SIGTERM)
    for peer in idle:  # loops 0 and 1 have nothing else to wait for
        peer.expect_end()
        peer.close()
    waiting.until(lambda: connections(server) == [0, 0, 1], "one loop that drains")
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0


slow_library = preload.library("slow_letters.c")


@preload.needed
@pytest.mark.cause("the letter that announces a stop is read after the flags were looked at, and nobody looks again")
def test_a_stop_between_the_flags_and_the_letters(start, slow_library):
    """A request for statistics wakes the loops. While they are about to read its letter, the stop comes."""
    server = start(*options("handed"), environment={"LD_PRELOAD": str(slow_library)})
    server.signal(signal.SIGUSR1)
    time.sleep(0.1)  # the loops are in the 0.3 seconds by now, else nothing was tested
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0


@needs_proc
@pytest.mark.cause("a listener is closed without EPOLL_CTL_DEL while another loop has it open")
def test_a_loop_that_has_closed_its_listener_hears_no_more_of_it(start):
    """One loop computes while the others stop. Until it stops too, the listener is open, and a newcomer waits there.
    The others have closed their numbers for it; if it were still in their epoll sets, it would be reported there
    without end."""
    server = start(*options("shared"), "--work", "500000", "--drain-timeout", "60")
    peers: list[Peer] = []

    def two_loops_have_peers() -> bool:
        with server.frozen():
            peers.extend(server.connect() for _ in range(10))
        server.wait_statistics(lambda s: s["accepted"] == len(peers), "all accepted")
        return sum(count > 0 for count in connections(server)) >= 2

    waiting.until(two_loops_have_peers, "peers in two loops")
    before = kernel.descriptors(server.pid)
    peers[0].send_frame(b"half a second of work")
    peers[0].wait_delivered()
    waiting.until(lambda: busy(server), "a loop that computes")
    server.signal(signal.SIGTERM)
    # A number for the listener and a spare descriptor each: all loops have closed theirs but the one that computes.
    waiting.until(lambda: kernel.descriptors(server.pid) <= before - 2 * (LOOPS - 1), "the other loops have stopped")
    newcomer = socket.socket()
    newcomer.connect(server.address)  # refused if the busy loop has stopped as well: then nothing was tested
    peers[0].expect_frame(b"half a second of work")
    for peer in peers:
        peer.close()
    newcomer.close()
    assert server.wait_exit() == 0
    waits = server.stop()["loops"]["waits"]
    assert max(waits) < 200, f"a loop was woken again and again while it had nothing to do: {waits}"


# -- a listener from somebody else -----------------------------------------------------------------


def passed_on(listener: socket.socket) -> dict:
    return {"wrapper": supervisor(listener.fileno()), "pass_fds": [listener.fileno()]}


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


@pytest.mark.parametrize("way", ("handed", "shared", "exclusive"))
@pytest.mark.cause("only one loop gets the listener that was passed on, or a loop closes it for the others")
def test_loops_share_a_listener_that_was_passed_on(start, listening, way):
    server = start(*options(way), **passed_on(listening))
    assert server.address == listening.getsockname()
    with server.frozen():
        peers = [server.connect() for _ in range(60)]
    for i, peer in enumerate(peers):
        peer.echo(payload(3000, i))
    final = server.stop()
    assert final["accepted"] == sum(final["loops"]["accepted"]) == 60
    with socket.create_connection(listening.getsockname()):  # nobody closed it for the supervisor
        pass


@pytest.mark.cause("peers go into the queues of further listeners, which the one who passed this one on has not")
def test_one_listener_is_not_enough_for_reuseport(server_name, listening):
    with pytest.raises(AssertionError) as caught:
        Server(server_name, *options("reuseport"), **passed_on(listening))
    line = f"{server_name}: LISTEN_FDS: --listen reuseport needs a listener for each loop, and this is one"
    assert line in str(caught.value)


def test_it_is_enough_for_one_loop(start, listening):
    server = start(*options("reuseport", 1), **passed_on(listening))
    server.connect().echo(b"served")


# -- restart: what test_restart.py does not know ---------------------------------------------------


@pytest.mark.parametrize("way", ("handed", "shared", "exclusive"))
@pytest.mark.cause("a loop goes on to accept, or ends its connections, or is not told")
def test_every_loop_leaves(start, way):
    server = start(*options(way), "--drain-timeout", "3600")
    first = server.process.pid
    with server.frozen():
        old = [server.connect() for _ in range(20)]
    for i, peer in enumerate(old):
        peer.echo(payload(2000, i))
    with Churn(server.address) as churn:
        for _ in range(20):
            server.restart()
    assert churn.lost == [] and churn.served >= 20
    for i, peer in enumerate(old):
        peer.echo(payload(3000, i))
    # Its child, the second process, has ended, and waits for the first one to ask for its status: Z.
    asleep = "all loops of the first process asleep: they hear of no peer any more"
    waiting.until(lambda: kernel.rests(first, lambda pid: kernel.ran(pid, "SZ")), asleep)
    for peer in old:
        peer.close()
    assert server.wait_first_exit() == 0
    server.connect().echo(b"of the last one")


@needs_proc
@pytest.mark.parametrize("way", ("shared", "exclusive"))
@pytest.mark.cause("each loop that leaves refuses a peer for want of descriptors, though the new program may have one")
def test_loops_that_leave_refuse_nobody(start, server_name, tmp_path, way):
    with contextlib.closing(StandIn(server_name, tmp_path)) as new:
        server = start(*options(way, 8), program=new.path)
        new.take_its_place()
        before = kernel.descriptors(server.pid)
        server.signal(signal.SIGUSR2)
        waiting.until(lambda: kernel.descriptors(server.pid) == before + 1, "only the pipe that it is heard by is open")
        limit_to(server, 0)
        began = time.monotonic()
        peers = [server.connect("waits") for _ in range(20)]
        waiting.until(lambda: sum(is_refused(peer) for peer in peers) >= 2, "the right to refuse has passed on")
        new.tell("listens")
        server.wait_error("listens now")
        assert sum(is_refused(peer) for peer in peers) <= 1 + time.monotonic() - began
        for peer in peers:
            peer.close()
        assert server.wait_exit() == 0
        new.tell("ends")


library = preload.library("hold_exec.c")


@needs_proc
@preload.needed
@pytest.mark.parametrize("way", ("handed", "shared", "exclusive"))
@pytest.mark.cause("a connection is closed while a child has a copy of its descriptor: epoll goes on to report it")
def test_what_ends_while_the_process_has_a_copy(start, library, way):
    server = start(*options(way), environment={"LD_PRELOAD": str(library)})
    with server.frozen():
        peers = [server.connect() for _ in range(20)]
    for peer in peers:
        peer.echo(b"before")
    server.signal(signal.SIGUSR2)

    def stopped() -> int | None:
        return next((child for child in server._children() if kernel.state(child) == "T"), None)

    child = waiting.until(stopped, "a copy of the server, stopped")
    assert child is not None
    descriptors = kernel.descriptors(server.pid)
    for peer in peers:
        peer.close()
    waiting.until(lambda: kernel.descriptors(server.pid) <= descriptors - len(peers), "its connections closed")
    waiting.until(lambda: kernel.rests(server.pid, lambda pid: kernel.ran(pid, "ST")), "all loops asleep")
    os.kill(child, signal.SIGCONT)
    server.wait_successor()
    server.connect().echo(b"after")


peer_before_letter = preload.library("peer_before_letter.c")


@needs_proc
@preload.needed
@pytest.mark.parametrize("way", ("shared", "exclusive"))
@pytest.mark.cause("a loop leaves with the only wake-up for a peer, who waits until the next one comes")
def test_a_loop_that_leaves_has_been_woken_for_a_peer(start, peer_before_letter, way):
    server = start(*options(way, 4), environment={"LD_PRELOAD": str(peer_before_letter)},
                   wrapper=("taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))))
    for _ in range(5):
        server.restart()
        waiting.until(lambda: kernel.waiting_peers(server.address[1]) == 0,
                      "every peer accepted, though no further one connects")
    server.connect().echo(b"after")


@needs_proc
@pytest.mark.cause("a copy is made before every loop knows of it")
def test_the_copy_waits_for_a_loop_that_computes(start):
    """A loop in the middle of a turn may have ended a connection already that it closes at the end of the turn."""
    server = start(*options("handed"), "--work", "500000")
    peer = server.connect()
    before = kernel.cpu_seconds(server.pid)
    peer.send_frame(b"half a second of work")
    waiting.until(lambda: kernel.cpu_seconds(server.pid) > before + 0.05, "a loop that computes")
    server.signal(signal.SIGUSR2)
    early: list[int] = []

    def answered() -> bool:
        copies = server._children()
        if peer.has_input():
            return True
        early.extend(copies)
        return False

    waiting.until(answered, "the echo")
    assert not early
    server.wait_successor()


@pytest.mark.parametrize("way", ("handed", "shared", "exclusive"))
@pytest.mark.cause("loops accept before the ready line is out, and the start fails")
def test_a_start_that_fails_takes_no_peer(server_name, listening, way):
    waiting_peers = [socket.create_connection(listening.getsockname()) for _ in range(3)]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*supervisor(listening.fileno()), str(servers.program(server_name)), "--port", "0", *options(way)],
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
            pass_fds=[listening.fileno()], timeout=waiting.PATIENCE,
        )  # fmt: skip
    assert result.returncode == 1, result.stderr
    listening.setblocking(False)
    for peer in waiting_peers:
        listening.accept()[0].close()  # BlockingIOError: it is not in the queue any more
        peer.close()


@pytest.mark.cause("peers are lost in a queue, or nobody says that nothing happens")
def test_no_restart_that_would_lose_peers(start):
    server = start(*options("reuseport"))
    peer = server.connect()
    peer.echo(b"before")
    server.signal(signal.SIGUSR2)
    server.expect_errors("^epoll_loops: no restart: --listen reuseport has a listener for each loop$")
    peer.echo(b"after")
    server.connect().echo(b"still accepting")


def test_a_restart_with_one_loop(start):
    server = start(*options("reuseport", 1))
    server.restart()
    server.connect().echo(b"served")


# -- the rest --------------------------------------------------------------------------------------


@needs_proc
@every_way
@pytest.mark.cause("a loop polls, or is woken although nothing happens")
def test_all_threads_sleep(start, way):
    server = start(*options(way))
    for _ in range(10):
        server.connect().echo(b"x")
    waiting.until(lambda: kernel.ran(server.pid) is not None, "all threads asleep")
    before = server.statistics()["waits"]
    cpu = kernel.cpu_seconds(server.pid)
    time.sleep(0.5)  # not a wait for anything: the time over which nothing may happen
    assert kernel.cpu_seconds(server.pid) - cpu < 0.01
    assert server.statistics()["waits"] - before <= 1


@pytest.mark.cause("the work of one loop holds up the others")
def test_loops_work_side_by_side(start):
    server = start(*options("handed", 2), "--work", "500000")
    busy_one, other = server.connect(), server.connect()
    waiting.until(lambda: connections(server) == [1, 1], "a peer for each loop")
    busy_one.send_frame(b"slow")
    other.half_close()
    other.expect_end()
    assert not busy_one.has_input(), "the other was served only after the work was done"


@pytest.mark.parametrize("arguments, line", (
    (("--loops", "0"), "--loops: '0' is not a whole number from 1 to 64"),
    (("--loops", "65"), "--loops: '65' is not a whole number from 1 to 64"),
    (("--listen", "all"), "--listen: 'all' is not one of reuseport shared exclusive handed"),
    (("--work", "-1"), "--work: '-1' is not a number from 0"),
))  # fmt: skip
@pytest.mark.cause("a bad value is taken")
def test_bad_options(server_name, arguments, line):
    with pytest.raises(AssertionError, match=line):
        Server(server_name, *arguments)


def test_statistics_of_64_loops_fit_into_a_page(start):
    """A line longer than a page could wait for its reader: common/log.c."""
    server = start(*options("handed", 64))
    for _ in range(70):
        server.connect().echo(b"x")
    statistics = server.statistics()
    assert sorted(statistics["loops"]["accepted"]) == [1] * 58 + [2] * 6
    assert max(len(line) for line in server.errors()) < 2500
