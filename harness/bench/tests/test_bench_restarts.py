"""E21: what counts as lost, and that each way restarts its server."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from bench import experiments, plan, restarts
from bench.restarts import MESSAGE, Peers
from suite import servers

needs_program = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not servers.program(restarts.PROGRAM).exists(),
    reason=f"{restarts.PROGRAM} is not built",
)


def one(answer) -> bool:
    """What becomes of one peer, if its server does this with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            with listener.accept()[0] as connection, contextlib.suppress(ConnectionResetError):  # as each peer ends
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        served = Peers(listener.getsockname(), 1, 10)._one()
        thread.join()
        return served


def echo(connection: socket.socket) -> None:
    connection.sendall(connection.recv(len(MESSAGE), socket.MSG_WAITALL))
    connection.recv(1)


def test_an_echo_is_no_loss():
    assert one(echo)


@pytest.mark.parametrize("answer", (
    lambda connection: connection.recv(len(MESSAGE), socket.MSG_WAITALL),
    lambda connection: connection.sendall(connection.recv(len(MESSAGE), socket.MSG_WAITALL)[:-1]),
    lambda connection: connection.sendall(bytes(len(connection.recv(len(MESSAGE), socket.MSG_WAITALL)))),
    lambda connection: None,
), ids=("an end", "a part", "other bytes", "a reset"))  # fmt: skip
def test_anything_else_is_one(answer):
    assert not one(answer)


def test_a_refusal_is_one():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert not Peers(address, 1, 10)._one()


@needs_program
@pytest.mark.parametrize("way", restarts.WAYS)
def test_each_way_restarts_its_server(way):
    driver: Any = SimpleNamespace(cores=SimpleNamespace(server=None), patience=20)
    request: Any = SimpleNamespace(driver=driver, server=way, point={"restarts": "2", "peers": "2"}, seed=1)
    request.number = lambda name: int(request.point[name])
    taken = restarts.restarts(request)
    lost = taken.figures["lost"]
    assert taken.verdict == "VALID" and lost is not None and lost >= 0
    assert way != "handed" or lost == 0


def test_it_is_made_on_request_only():
    names = {run.experiment.name for run in plan.ordered("quick", 1)}
    asked = plan.joined(experiments.made(), ["E21"])
    assert "E21" not in names and "E21" in {each.name for each in asked}
