"""What TLS adds to the protocol (docs/protocol.md, "Over TLS"), and where it differs from a plain connection."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from faults.trial import program_of
from suite import kernel, servers, tls, waiting
from suite.flood import Flood
from suite.frames import frame, header, payload
from suite.peer import Peer

import renegotiation
from key_updates import Client

pytestmark = [pytest.mark.only(transport="tls"), pytest.mark.inside]

TRIGGERS = ("level", "edge")
HELD = "OpenSSL has received bytes of which the kernel knows nothing any more, and the server waits for the kernel"


def peer_of(server, version: ssl.TLSVersion, session: ssl.SSLSession | None = None) -> tuple[Peer, tls.Stream]:
    stream = tls.Stream(socket.create_connection(server.address), tls.client(version), session=session)
    stream.settimeout(waiting.PATIENCE)
    stream.shake()
    return Peer.over(stream, version.name), stream


def plain(server) -> socket.socket:
    raw = socket.create_connection(server.address)
    raw.settimeout(waiting.PATIENCE)
    return raw


@pytest.mark.cause("a version that the protocol names is not spoken")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), ids=("1.2", "1.3"))
def test_both_versions(start, trigger, version):
    peer, stream = peer_of(start("--trigger", trigger), version)
    assert stream.session.version() == f"TLSv1.{version.name[-1]}"
    for size in (0, 1, 64, 16_384, 100_000):
        peer.echo(payload(size))
    peer.half_close()
    peer.expect_end()


@pytest.mark.cause(HELD)
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("size", (5000, 16_000, 100_000))
def test_bytes_that_openssl_holds(start, trigger, size):
    """The room behind a frame that has begun is smaller than the record that follows."""
    server = start("--trigger", trigger)
    peer = server.connect()
    for _ in range(3):
        peer.send(header(size))
        server.at_rest()
        peer.send(payload(size))
        peer.expect_frame(payload(size))


@pytest.mark.cause(HELD)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_many_records_at_once(start, trigger):
    server = start("--trigger", trigger)
    peer = server.connect()
    with server.frozen():
        for i in range(300):
            peer.send_frame(payload(700, i))
    for i in range(300):
        peer.expect_frame(payload(700, i))


@pytest.mark.cause("an SSL_write that is repeated from another address is refused by OpenSSL")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_output_that_waits_is_sent_from_where_it_is_then(start, trigger):
    server = start("--trigger", trigger)
    flood = Flood(server, server.connect(receive_buffer=4096), payload(50_000)).until_paused()
    flood.read_back()
    assert server.statistics()["closed"]["error"] == 0


@pytest.mark.cause("SSL_write was given more than the record that it had begun, and said nothing of what has left")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.skipif(not program_of("tls").exists(), reason="a small send buffer needs the servers of harness/faults")
def test_what_a_slow_reader_has_received_was_sent(start, monkeypatch, trigger):
    """The kernel takes a part of each record, so each SSL_write is repeated. Its send buffer is small: what it holds
    would hide what is missing in the statistics."""
    monkeypatch.setattr(servers, "program", program_of)
    server = start("--trigger", trigger, environment={"FAULT": "none:*:0:1", "FAULT_SEND_BUFFER": "16384"})
    flood = Flood(server, server.connect(receive_buffer=4096), payload(50_000)).until_paused()
    for received in range(2000, 200_000, 2000):
        flood.peer.receive(2000)
        assert server.statistics()["bytes_out"] >= received
    flood.peer.reset()


def chain(tmp_path, count: int):
    """A certificate with many others behind it: a handshake that fills a send buffer."""
    certificate, key = tls.pair()
    long = tmp_path / "chain.pem"
    long.write_text(certificate.read_text() * count)
    return "--cert", str(long), "--key", str(key)


@pytest.mark.cause("the server watches for what the call would do, and not for what the call waits for")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_handshake_that_waits_for_room(start, trigger, tmp_path):
    """SSL_read waits for room to send. The peer's window is small, and it does not read at first."""
    server = start("--trigger", trigger, *chain(tmp_path, 150))
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    raw.connect(server.address)
    raw.settimeout(waiting.PATIENCE)
    stream = tls.Stream(raw, tls.client(ssl.TLSVersion.TLSv1_2), stopped=lambda: True)
    stream.begin()
    server.wait_statistics(lambda s: s["partial_writes"] > 0, "no room")
    server.at_rest()
    stream.go_on()
    peer = Peer.over(stream, "narrow")
    peer.echo(b"through")


@pytest.mark.cause("the error queue belongs to the thread: what one session leaves there ends the next one")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_an_error_of_one_session_is_not_taken_for_one_of_another(start, trigger):
    server = start("--trigger", trigger)
    others = [server.connect() for _ in range(5)]
    for other in others:
        other.echo(b"before")
    for nonsense in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05nonsense", bytes(100)):
        raw = plain(server)
        raw.sendall(nonsense)
        while raw.recv(100):
            pass
        raw.close()
        for other in others:  # half a record: SSL_read has nothing to give, and says what it waits for
            rest = other.socket.cut_record(frame(b""), 7)
            server.at_rest()
            other.socket.plain.sendall(rest)
            other.expect_frame(b"")
    closed = server.wait_statistics(lambda s: s["connections"] == 5, "the others left")["closed"]
    assert closed["error"] == 3 and sum(closed.values()) == 3
    server.wait_error(r": 127\.0\.0\.1:\d+: handshake: ", 3)


ENDS = "the end of TLS is close_notify, not FIN"


@pytest.mark.cause("a close that destroys close_notify, or leaves it out, makes a whole stream look cut")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_close_notify_arrives_though_input_is_unread(start, trigger):
    server = start("--trigger", trigger, "--high-water", "8000000", "--low-water", "1000000")
    peer = server.connect(receive_buffer=4096)
    data = frame(payload(250_000))
    peer.send(data * 3 + header(0xFFFFFFFF))
    peer.send_what_fits(bytes(2_000_000))
    for _ in range(3):
        peer.expect_frame(payload(250_000))
    peer.expect_end()  # fails on a reset, and on FIN without close_notify


@pytest.mark.cause(ENDS)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_close_notify_without_fin_is_an_end(start, trigger):
    server = start("--trigger", trigger)
    peer = server.connect()
    peer.send(frame(b"last"))
    peer.socket.notify()
    peer.expect_frame(b"last")
    peer.expect_end()
    assert peer.socket.plain.recv(1) == b"", "FIN follows close_notify"
    peer.close()
    assert server.stop()["closed"]["end"] == 1


@pytest.mark.cause(ENDS)
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("output", (100, 100_000))
def test_fin_without_close_notify_is_a_truncation(start, trigger, output):
    server = start("--trigger", trigger)
    peer = server.connect(receive_buffer=4096)
    with server.frozen():
        peer.send(frame(payload(output)))
        peer.socket.plain.shutdown(socket.SHUT_WR)
    peer.expect_frame(payload(output))
    peer.expect_end()
    assert server.stop()["closed"]["truncated"] == 1


@pytest.mark.cause("a peer that is idle is cut off without close_notify")
def test_an_idle_peer_gets_close_notify(start):
    server = start("--idle-timeout", "0.2")
    server.connect().expect_end()
    assert server.stop()["closed"]["idle"] == 1


@pytest.mark.cause("a peer that does not finish its handshake is kept for ever")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("sends", (b"", b"\x16\x03\x01"), ids=("silent", "begun"))
def test_a_handshake_takes_no_longer_than_its_timeout(start, trigger, sends):
    server = start("--trigger", trigger, "--handshake-timeout", "0.3")
    began = time.monotonic()
    raw = plain(server)
    raw.sendall(sends)
    assert raw.recv(100) == b""
    assert time.monotonic() - began >= 0.3, "no timeout comes early"
    assert server.statistics()["closed"]["idle"] == 1


@pytest.mark.cause("a connection that the server ends is under the timeout of a handshake that it will not finish")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_handshake_that_has_failed_ends_by_the_drain_timeout(start, trigger):
    server = start("--trigger", trigger, "--handshake-timeout", "0.3", "--drain-timeout", "60")
    raw = plain(server)
    raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert raw.recv(100) == b""
    time.sleep(0.8)
    raw.sendall(b"more, which the server reads and drops")
    assert server.statistics()["connections"] == 1
    raw.close()
    server.wait_statistics(lambda s: s["connections"] == 0, "its end seen")


@pytest.mark.skipif(not kernel.HAS_PROC, reason=kernel.NO_PROC)
@pytest.mark.cause("OpenSSL keeps buffers of an idle connection")
def test_what_an_idle_session_holds(start, server_name):
    if servers.sanitizer() is not None:
        pytest.skip("a sanitizer pads memory")
    server = start()
    peers = [server.connect() for _ in range(50)]
    for peer in peers:
        peer.echo(payload(64))
    before = kernel.memory_bytes(server.pid, "RssAnon")
    peers += [server.connect() for _ in range(500)]
    for peer in peers:
        peer.echo(payload(64))
    each = (kernel.memory_bytes(server.pid, "RssAnon") - before) / 500
    assert each <= tls.session_bytes(server_name)


@pytest.mark.cause("a call too many in the handshake")
def test_the_calls_of_a_handshake(start):
    server = start()
    peers = [server.connect() for _ in range(100)]
    for peer in peers:
        peer.echo(payload(64))
    counted = server.statistics()
    each = 5 if ssl.OPENSSL_VERSION_INFO < (3, 2) else 12  # README.md: what newer versions read one by one
    assert counted["reads"] + counted["writes"] <= (each + 2) * len(peers), "beside those of one message"


@pytest.mark.cause("SIGHUP ends the server, or a connection, or changes nothing")
def test_a_certificate_is_read_again(start, tmp_path):
    certificate, key = tls.pair()
    files = [str(shutil.copy(certificate, tmp_path / "c.pem")), str(shutil.copy(key, tmp_path / "k.pem"))]
    server = start("--cert", files[0], "--key", files[1])
    old = server.connect()
    old.echo(b"old")
    new = tls.make_pair(tmp_path / "new", "renewed")
    shutil.copy(new[0], files[0])
    server.signal(signal.SIGHUP)
    server.wait_error("keeping the old certificate")  # the key does not fit yet
    server.connect().echo(b"the old one still")
    shutil.copy(new[1], files[1])
    server.signal(signal.SIGHUP)
    server.wait_error("read .* again")
    shown = ssl.get_server_certificate(server.address)
    assert shown.split() == new[0].read_text().split()
    old.echo(b"nobody was cut off")


@pytest.mark.cause("the server waits for a file that nobody writes, and all peers with it")
@pytest.mark.parametrize("which", (0, 1), ids=("certificate", "key"))
def test_a_fifo_in_the_place_of_a_file_stops_nobody(start, tmp_path, which):
    files = [str(shutil.copy(path, tmp_path / path.name)) for path in tls.pair()]
    server = start("--cert", files[0], "--key", files[1])
    peer = server.connect()
    peer.echo(b"before")
    os.unlink(files[which])
    os.mkfifo(files[which])
    server.signal(signal.SIGHUP)
    server.wait_error("not a regular file.*keeping the old certificate")
    peer.echo(b"after")
    server.connect().echo(b"with the old pair")


@pytest.mark.cause("the pipe is closed before the program ends, and the old server kills it")
def test_a_new_program_that_cannot_begin_is_heard_out(start, tmp_path):
    """It says why, and its own exit status is in the line of the old server."""
    files = [str(shutil.copy(path, tmp_path / path.name)) for path in tls.pair()]
    server = start("--cert", files[0], "--key", files[1])
    shutil.copy(tls.make_pair(tmp_path / "new", "other")[1], files[1])
    for count in range(1, 6):
        server.signal(signal.SIGUSR2)
        server.expect_errors(r"no restart: the new program ended before it listened \(exit status 1\)$", count)
        server.expect_errors(f"--key {files[1]}: key values mismatch", count)
    server.connect().echo(b"the old one goes on")


@pytest.mark.cause("bad files are not told in one line")
@pytest.mark.parametrize("what, words, says", (
    ("no key", ("--cert", "{c}"), "--key: must be given"),
    ("no such file", ("--cert", "/nowhere", "--key", "{k}"), "--cert /nowhere: No such file or directory"),
    ("no certificate", ("--cert", "{k}", "--key", "{k}"), "--cert {k}: no certificate in PEM format"),
    ("nothing in it", ("--cert", "/dev/null", "--key", "{k}"), "--cert /dev/null: no certificate in PEM format"),
    ("half of one", ("--cert", "{h}", "--key", "{k}"), "--cert {h}: bad end line"),
    ("no key in it", ("--cert", "{c}", "--key", "{c}"), "--key {c}: no private key in PEM format"),
    ("no key at all", ("--cert", "{c}", "--key", "/dev/null"), "--key /dev/null: no private key in PEM format"),
    ("an encrypted key", ("--cert", "{c}", "--key", "{e}"), "--key {e}: needs a password"),
))
def test_bad_files(server_name, tmp_path, what, words, says):
    certificate, key = tls.pair()
    encrypted = tmp_path / "encrypted"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:word", "-out", encrypted], check=True)
    half = tmp_path / "half"
    half.write_text(Path(certificate).read_text()[:300])
    filled = [word.format(c=certificate, k=key, e=encrypted, h=half) for word in words]
    result = subprocess.run([servers.program(server_name), "--port", "0", *filled], capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert result.returncode == (2 if what == "no key" else 1) and result.stdout == ""
    assert len(lines) == 1 and says.format(c=certificate, k=key, e=encrypted, h=half) in lines[0], result.stderr


@pytest.mark.cause("a KeyUpdate is taken for data, or its answer is not sent")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_stranger_and_its_key_updates(start, trigger):
    """openssl s_client: a line that begins with K sends a KeyUpdate that asks for an answer, k one that does not."""
    server = start("--trigger", trigger)
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", "{}:{}".format(*server.address), "-CAfile", tls.pair()[0], "-tls1_3"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    said = b""
    for i, command in enumerate((b"", b"K\n", b"k\n", b"K\n")):
        if command:
            reads = server.statistics()["reads"]
            client.stdin.write(command)
            client.stdin.flush()
            server.wait_statistics(lambda s: s["reads"] > reads, "the KeyUpdate received")
        client.stdin.write(frame(b"echo %d" % i))
        client.stdin.flush()
        while b"echo %d" % i not in said:
            piece = client.stdout.read1()
            assert piece, said
            said += piece
    client.stdin.close()
    client.stdout.read()
    assert client.wait(waiting.PATIENCE) == 0
    assert b"Verify return code: 0 (ok)" in said
    assert server.stop()["closed"]["end"] == 1


@pytest.mark.cause("the answer to KeyUpdate gets between the parts of a record that waits, or is forgotten")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_key_update_while_a_write_waits(start, trigger):
    """The peer reads nothing: a record is half sent, megabytes are behind it. The server goes on reading, and gets a
    KeyUpdate. The rest of that record must leave under the old key, and the answer before whatever has the new one.
    Until then OpenSSL must not read the next KeyUpdate."""
    server = start("--trigger", trigger, "--high-water", "64000000")
    client = Client(server.address, 4096, waiting.PATIENCE)
    stream = b"".join(frame(payload(1 << 20, i)) for i in range(12))
    client.send(stream)
    server.wait_statistics(lambda s: s["frames"] == 12 and s["bytes_out"] < s["bytes_in"], "a write that waits")
    assert server.statistics()["partial_writes"] > 0
    for turn in range(3):
        client.update()
        more = frame(payload(5000, turn))
        client.send(more)
        stream += more
        if turn == 0:
            server.wait_statistics(lambda s: s["frames"] == 13, "the frame behind the first KeyUpdate taken")
    server.at_rest()
    assert client.updates == 0
    assert client.receive(len(stream)) == stream
    assert client.updates >= 1, "no answer came"
    client.send(frame(b"after"))
    assert client.receive(9) == frame(b"after")
    client.close()
    assert server.stop()["closed"]["error"] == 0


@pytest.mark.cause("a KeyUpdate that comes after the last frame ends the connection, or its answer is sent behind FIN")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_key_update_while_the_server_lingers(start, trigger):
    """After an oversize header and the server's FIN: what comes is read, and counted, until the peer ends."""
    server = start("--trigger", trigger, "--drain-timeout", "60")
    client = Client(server.address, 65536, waiting.PATIENCE)
    client.send(frame(b"one") + header(0xFFFFFFFF))
    assert client.receive(7) == frame(b"one")
    server.wait_statistics(lambda s: s["bytes_in"] == 11, "the header taken")
    client.send(b"more")
    server.wait_statistics(lambda s: s["bytes_in"] == 15, "what comes behind it counted")
    client.update()
    client.send(b"behind a KeyUpdate")
    server.at_rest()
    assert server.statistics()["connections"] == 1
    client.close()
    server.wait_statistics(lambda s: s["connections"] == 0, "the end noticed")
    closed = server.stop()["closed"]
    assert closed["oversize"] == 1 and sum(closed.values()) == 1


@pytest.mark.cause("KeyUpdates that came with one recv are answered in one turn, and all others wait")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_turn_answers_so_many_key_updates_and_no_more(start, trigger):
    server = start("--trigger", trigger)
    client = Client(server.address, 65536, waiting.PATIENCE)
    client.send(frame(b"before"))
    assert client.receive(10) == frame(b"before")
    before = server.statistics()
    with server.frozen():
        client.updates_alone(2000)
        client.send(frame(b"behind"))
    assert client.receive(10) == frame(b"behind")
    assert client.updates == 2000
    after = server.statistics()
    assert after["writes"] - before["writes"] >= 2000
    assert after["waits"] - before["waits"] >= 2000 / 18, "too few turns: each has 16 answers and an echo"
    client.close()


@pytest.mark.cause("a last turn ends when its answers to KeyUpdates are used up, and what came behind them is lost")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("count", (100, 1000))
@pytest.mark.parametrize("end", ("a stop", "max-lifetime"))
def test_a_frame_behind_key_updates_beats_the_end(start, trigger, count, end):
    lifetime = 1 if end == "max-lifetime" else 0
    server = start("--trigger", trigger, "--max-lifetime", str(lifetime))
    began = time.monotonic()
    client = Client(server.address, 65536, waiting.PATIENCE)
    with server.frozen():
        client.updates_alone(count)
        client.send(frame(b"behind"))
        Peer.over(client.plain, "the client").wait_delivered()
        if end == "a stop":
            server.signal(signal.SIGTERM)
        else:
            time.sleep(max(0, began + lifetime + 0.1 - time.monotonic()))
    assert client.receive(10) == frame(b"behind")
    assert client.updates == count
    client.close()


@pytest.mark.cause("renegotiation is let in, or ends the connection")
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_renegotiation_is_refused(start, tmp_path, trigger):
    server = start("--trigger", trigger)
    client = renegotiation.Client(server.address, 65536, waiting.PATIENCE, tmp_path / "keys")
    for i in range(3):
        client.renegotiate(1)
        assert client.receive() == (renegotiation.ALERT, renegotiation.NO_RENEGOTIATION)
        client.send(frame(payload(100, i)))
        assert client.receive() == (renegotiation.DATA, frame(payload(100, i)))
    client.plain.close()


@pytest.mark.cause("an alert is sent in part, the rest is forgotten, and the next record follows behind it")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.skipif(not program_of("tls").exists(), reason="a small send buffer needs the servers of harness/faults")
def test_alerts_that_meet_a_full_socket(start, tmp_path, monkeypatch, trigger):
    """OpenSSL sends them inside SSL_read, and does not look whether they have left. The peer reads nothing until it has
    sent all: the alerts fill the socket."""
    monkeypatch.setattr(servers, "program", program_of)
    server = start("--trigger", trigger, environment={"FAULT": "none:*:0:1", "FAULT_SEND_BUFFER": "16384"})
    client = renegotiation.Client(server.address, 4096, waiting.PATIENCE, tmp_path / "keys")
    for turn in range(3):
        before = server.statistics()
        client.renegotiate(3000)
        client.send(frame(b"behind the alerts"))
        server.wait_statistics(lambda s: s["writes"] > before["writes"], "alerts sent")
        server.at_rest()
        assert server.statistics()["frames"] == turn, "the alerts have not filled the socket"
        alerts = 0
        while (came := client.receive()) == (renegotiation.ALERT, renegotiation.NO_RENEGOTIATION):
            alerts += 1
        assert came == (renegotiation.DATA, frame(b"behind the alerts"))
        assert alerts == 3000
    client.plain.close()
    assert server.stop()["closed"]["error"] == 0


@pytest.mark.cause("tickets are not given out, or not taken")
@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), ids=("1.2", "1.3"))
def test_a_session_is_resumed(start, version):
    server = start()
    peer, stream = peer_of(server, version)
    peer.echo(b"full")
    assert not stream.session.session_reused
    peer.half_close()
    peer.expect_end()
    peer, again = peer_of(server, version, stream.session.session)
    peer.echo(b"resumed")
    assert again.session.session_reused


@pytest.mark.cause("the suite takes whatever gets a port after a server with TLS for one with TLS")
def test_a_port_outlives_its_server(start):
    server = start()
    server.stop()
    server.kill()  # as after each test
    with socket.create_server(server.address) as another:
        peer = Peer(another.getsockname())
        assert not isinstance(peer.socket, tls.Stream)
        peer.close()
