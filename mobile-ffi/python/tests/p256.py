"""A phone's secure hardware: a P-256 key that signs and never leaves it. Written out because Python has
no elliptic curves of its own; slow, and for tests only."""

import hashlib
import secrets

from roadbook import RoadbookError, Signer, SigningAlgorithm

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def _add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _times(number, point):
    total = None
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _der(*numbers):
    parts = b""
    for number in numbers:
        # A leading zero keeps it positive.
        bytes_ = number.to_bytes(number.bit_length() // 8 + 1, "big")
        parts += bytes((2, len(bytes_))) + bytes_
    return bytes((0x30, len(parts))) + parts


class Enclave(Signer):
    def __init__(self):
        self.key = secrets.randbelow(N - 1) + 1
        self.locked = False
        self.signed = 0

    def algorithm(self):
        return SigningAlgorithm.ECDSA_P256

    def public_key(self):
        x, y = _times(self.key, G)
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def sign(self, message):
        if self.locked:
            raise RoadbookError.Keys("unlock the phone first")
        self.signed += 1
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        while True:
            once = secrets.randbelow(N - 1) + 1
            r = _times(once, G)[0] % N
            s = pow(once, -1, N) * (digest + r * self.key) % N
            if r and s:
                return _der(r, s)
