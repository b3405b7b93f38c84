"""A TLS 1.3 client that sends KeyUpdate whenever it likes, and reads only when it is told to: Python's ssl has no call
for that. libssl by ctypes, on memory BIOs."""

from __future__ import annotations

import ctypes
import ctypes.util
import socket

KEY_UPDATE = 24  # RFC 8446, 4.6.3: the type of the handshake message
ASKS_FOR_ANSWER = 1  # SSL_KEY_UPDATE_REQUESTED
HANDSHAKE = 22  # of the record layer
WANT_READ = 2
SET_MIN_PROTO_VERSION, TLS1_3 = 123, 0x0304
MESSAGE = ctypes.CFUNCTYPE(
    None, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_uint8), ctypes.c_size_t, ctypes.c_void_p,
    ctypes.c_void_p,
)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("ssl"))
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_new", "BIO_s_mem"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


class Client:
    def __init__(self, address: tuple[str, int], receive_buffer: int, patience: float):
        self._lib = _library()
        self.plain = socket.socket()
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.plain.settimeout(patience)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain.connect(address)
        call = self._call
        self._context = call("SSL_CTX_new", call("TLS_client_method"))
        call("SSL_CTX_ctrl", self._context, SET_MIN_PROTO_VERSION, TLS1_3, None)
        self._ssl = call("SSL_new", self._context)
        self._incoming, self._outgoing = (call("BIO_new", call("BIO_s_mem")) for _ in range(2))
        call("SSL_set_bio", self._ssl, self._incoming, self._outgoing)
        call("SSL_set_connect_state", self._ssl)
        self.updates = 0  # KeyUpdates that have come
        self._noted = MESSAGE(self._note)  # kept, or ctypes frees it
        call("SSL_set_msg_callback", self._ssl, self._noted)
        while (result := call("SSL_do_handshake", self._ssl)) != 1:
            assert call("SSL_get_error", self._ssl, result) == WANT_READ
            self._flush()
            self._receive()
        self._flush()

    def _call(self, name: str, *arguments: object) -> int:
        converted = [ctypes.c_void_p(each) if isinstance(each, int) and each > 1 << 31 else each for each in arguments]
        return getattr(self._lib, name)(*converted)

    def _note(self, sent: int, _: int, kind: int, message: ctypes._Pointer[ctypes.c_uint8], *__: object) -> None:
        self.updates += not sent and kind == HANDSHAKE and message[0] == KEY_UPDATE

    def _flush(self) -> None:
        room = ctypes.create_string_buffer(1 << 16)
        while (count := self._call("BIO_read", self._outgoing, room, len(room))) > 0:
            self.plain.sendall(room.raw[:count])

    def _receive(self) -> None:
        data = self.plain.recv(1 << 16)
        assert data, "the server has ended the connection"
        self._call("BIO_write", self._incoming, data, len(data))

    def update(self) -> None:
        """KeyUpdate, which asks for one of the server's; it leaves with the next send."""
        assert self._call("SSL_key_update", self._ssl, ASKS_FOR_ANSWER) == 1

    def updates_alone(self, count: int) -> None:
        """KeyUpdates without data between them. No library sends them."""
        for _ in range(count):
            self.update()
            assert self._call("SSL_do_handshake", self._ssl) == 1
        self._flush()

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 1 << 14):
            piece = data[start : start + (1 << 14)]
            assert self._call("SSL_write", self._ssl, piece, len(piece)) == len(piece)
            self._flush()

    def receive(self, size: int) -> bytes:
        came = bytearray()
        room = ctypes.create_string_buffer(1 << 16)
        while len(came) < size:
            count = self._call("SSL_read", self._ssl, room, min(len(room), size - len(came)))
            if count > 0:
                came += room.raw[:count]
                continue
            assert self._call("SSL_get_error", self._ssl, count) == WANT_READ, f"after {len(came)} of {size} bytes"
            self._receive()
        return bytes(came)

    def close(self) -> None:
        self.plain.close()
        self._call("SSL_free", self._ssl)
        self._call("SSL_CTX_free", self._context)
