"""A TLS 1.2 client that sends a ClientHello inside its session whenever it likes, and goes on when it is refused: no
library does. The handshake is of Python's ssl, the records behind it are made here, with libcrypto by ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import socket
import ssl
import struct
from pathlib import Path

from suite import tls

ALERT, HANDSHAKE, DATA = 21, 22, 23
NO_RENEGOTIATION = bytes((1, 100))  # a warning
CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"
SET_TAG, GET_TAG, TAG = 17, 16, 16
HEADER, NONCE = 5, 8

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm"):
    getattr(crypto, _name).restype = ctypes.c_void_p


def _gcm(seals: bool, key: bytes, nonce: bytes, data: bytes, also: bytes) -> bytes:
    """AES-GCM: seals data, or opens it. The tag stands at its end."""
    call = "Encrypt" if seals else "Decrypt"
    data, tag = (data, bytes(TAG)) if seals else (data[:-TAG], data[-TAG:])
    room, mark, size = ctypes.create_string_buffer(len(data) + 1), ctypes.create_string_buffer(tag, TAG), ctypes.c_int()
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    getattr(crypto, f"EVP_{call}Init_ex")(context, ctypes.c_void_p(crypto.EVP_aes_128_gcm()), None, key, nonce)
    update = getattr(crypto, f"EVP_{call}Update")
    update(context, None, ctypes.byref(size), also, len(also))
    update(context, room, ctypes.byref(size), data, len(data))
    if not seals:
        crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, mark)
    good = getattr(crypto, f"EVP_{call}Final_ex")(context, ctypes.create_string_buffer(TAG), ctypes.byref(size))
    if seals:
        crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, mark)
    crypto.EVP_CIPHER_CTX_free(context)
    assert good == 1, "bad_record_mac: the stream is not what the server has sealed"
    return room.raw[: len(data)] + (mark.raw if seals else b"")


def _expand(secret: bytes, seed: bytes, size: int) -> bytes:
    """RFC 5246, 5."""
    out, last = b"", seed
    while len(out) < size:
        last = hmac.digest(secret, last, hashlib.sha256)
        out += hmac.digest(secret, last + seed, hashlib.sha256)
    return out[:size]


class Client:
    def __init__(self, address: tuple[str, int], receive_buffer: int, patience: float, keys: Path):
        self.plain = socket.socket()
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.plain.settimeout(patience)
        self.plain.connect(address)
        context = ssl.create_default_context(cafile=str(tls.pair()[0]))
        context.check_hostname = False
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET
        context.set_ciphers(CIPHER)
        context.keylog_filename = str(keys)
        sent, came = self._shake(context)
        randoms = came[11:43] + sent[11:43]  # the server's, the client's
        keyed = _expand(bytes.fromhex(keys.read_text().split()[-1]), b"key expansion" + randoms, 40)
        self._keys = {True: (keyed[:16], keyed[32:36]), False: (keyed[16:32], keyed[36:40])}
        self._count = {True: 1, False: 1}  # records sealed, and opened: Finished was the first
        self._came = b""

    def _shake(self, context: ssl.SSLContext) -> tuple[bytes, bytes]:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing)
        sent = came = b""
        while True:
            try:
                session.do_handshake()
                return sent, came
            except ssl.SSLWantReadError:
                sent += (piece := outgoing.read())
                self.plain.sendall(piece)
                came += (piece := self.plain.recv(1 << 16))
                incoming.write(piece)

    def _record(self, seals: bool, kind: int, body: bytes) -> bytes:
        """RFC 5288, 3: the nonce is four bytes of the keys, and eight that stand in the record."""
        key, salt = self._keys[seals]
        count = struct.pack(">Q", self._count[seals])
        self._count[seals] += 1
        nonce = count if seals else body[:NONCE]
        data = body if seals else body[NONCE:]
        size = len(data) - (0 if seals else TAG)
        return _gcm(seals, key, salt + nonce, data, count + struct.pack(">BHH", kind, 0x0303, size))

    def _seal(self, kind: int, data: bytes) -> bytes:
        nonce = struct.pack(">Q", self._count[True])
        sealed = nonce + self._record(True, kind, data)
        return struct.pack(">BHH", kind, 0x0303, len(sealed)) + sealed

    def send(self, data: bytes) -> None:
        self.plain.sendall(b"".join(self._seal(DATA, data[at : at + 16384]) for at in range(0, len(data), 16384)))

    def renegotiate(self, times: int) -> None:
        body = struct.pack(">H", 0x0303) + os.urandom(32) + b"\0\0\2\xc0\x2b\1\0\0\5\xff\1\0\1\0"
        hello = b"\1" + struct.pack(">I", len(body))[1:] + body
        self.plain.sendall(b"".join(self._seal(HANDSHAKE, hello) for _ in range(times)))

    def _take(self, size: int) -> bytes:
        while len(self._came) < size:
            piece = self.plain.recv(1 << 16)
            assert piece, "the server has ended the connection"
            self._came += piece
        taken, self._came = self._came[:size], self._came[size:]
        return taken

    def receive(self) -> tuple[int, bytes]:
        """One record: its type, and what it holds."""
        kind, _, size = struct.unpack(">BHH", self._take(HEADER))
        return kind, self._record(False, kind, self._take(size))
