#!/usr/bin/env python3
"""An echo server of one's own: it follows docs/protocol.md and shares no line with the servers of this project."""

import errno
import os
import selectors
import signal
import socket
import sys
import time

MAX_FRAME, HIGH_WATER, LOW_WATER, DRAIN_SECONDS = 1 << 20, 256 << 10, 64 << 10, 5
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Peer:
    def __init__(self, sock):
        sock.setblocking(False)
        self.sock, self.input, self.output = sock, bytearray(), bytearray()
        self.paused = self.ended = self.fin_sent = False
        self.deadline = None  # of the drain, once the server has begun to end the connection
        peers.add(self)
        selector.register(sock, READ, self)

    def take(self, data):
        """Moves whole frames to the output. While it drains, what comes is discarded."""
        if self.deadline:
            return
        self.input += data
        end = 0
        while len(self.input) - end >= 4 and not self.deadline:
            length = int.from_bytes(self.input[end : end + 4])
            if length > MAX_FRAME:
                self.drain()
            elif len(self.input) - end < 4 + length:
                break
            else:
                end += 4 + length
        self.output += self.input[:end]
        del self.input[:end]

    def drain(self):
        """Closing with input unread would send a reset, which destroys echoes that are under way."""
        self.deadline = time.monotonic() + DRAIN_SECONDS

    def turn(self, events):
        try:
            if events & READ:
                data = self.sock.recv(1 << 16)
                self.ended |= not data
                self.take(data)
            if self.output:
                del self.output[: self.sock.send(self.output)]
            if self.deadline and not self.output and not self.fin_sent:
                self.sock.shutdown(socket.SHUT_WR)
                self.fin_sent = True
        except BlockingIOError:
            pass
        except OSError:  # a reset: nobody else notices
            return self.close()
        self.paused = len(self.output) > (LOW_WATER if self.paused else HIGH_WATER - 1)
        reads = not self.ended and (self.deadline or not self.paused)
        wanted = (READ if reads else 0) | (WRITE if self.output else 0)
        if self.ended and not self.output or self.deadline and time.monotonic() >= self.deadline:
            self.close()
        elif wanted:
            selector.modify(self.sock, wanted, self)

    def close(self):
        selector.unregister(self.sock)
        self.sock.close()
        peers.discard(self)
        watch(listener)  # a descriptor is free


def watch(sock):
    if sock.fileno() >= 0 and sock not in selector.get_map():
        selector.register(sock, READ)


def accept():
    global spare, refused_at, look_again_at
    try:
        while True:
            Peer(listener.accept()[0])
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            return  # nobody is left in the queue, or the one at its head has gone
    selector.unregister(listener)  # a listener that cannot accept would be reported for ever
    look_again_at = time.monotonic() + 1
    if time.monotonic() >= refused_at + 1:  # the spare descriptor tells one peer a second, rather than let all hang
        refused_at = time.monotonic()
        os.close(spare)
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            pass
        spare = os.open("/dev/null", os.O_RDONLY)


def stop(*_):
    global signals
    signals += 1


peers, signals, refused_at, look_again_at = set(), 0, float("-inf"), float("inf")
selector, spare = selectors.DefaultSelector(), os.open("/dev/null", os.O_RDONLY)
woken, wakes = socket.socketpair()
for end in (woken, wakes):
    end.setblocking(False)
signal.set_wakeup_fd(wakes.fileno())  # so that a signal just before the wait ends the wait
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
listener = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), backlog=1024)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what is accepted inherits it
listener.setblocking(False)
watch(listener)
watch(woken)
print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)

while signals < 2 and (peers or not signals):
    deadlines = [peer.deadline for peer in peers if peer.deadline] + [look_again_at]
    left = min(deadlines) - time.monotonic()
    ready = selector.select(max(left, 0) if left < float("inf") else None)
    for key, events in ready:
        if key.data:
            key.data.turn(events)
    if signals and listener.fileno() >= 0:
        if listener in selector.get_map():
            selector.unregister(listener)
        listener.close()
        for peer in list(peers):
            peer.turn(0 if peer.paused or peer.ended else READ)  # one more read
            if peer in peers:
                peer.drain()
                peer.turn(0)
    for peer in [each for each in peers if each.deadline and time.monotonic() >= each.deadline]:
        peer.turn(0)
    if time.monotonic() >= look_again_at:
        look_again_at = float("inf")
        watch(listener)
    for key, _ in ready:
        if key.fileobj is woken:
            woken.recv(64)
        elif key.fileobj is listener and listener.fileno() >= 0 and not signals:
            accept()
