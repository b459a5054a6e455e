"""Answers whose long beginning is compressed once, and whose short end is another one each time."""

import asyncio
import zlib
from dataclasses import dataclass

# below it, the network needs no more packets for the plain form than a browser takes in one go
WORTH_BYTES = 16 * 1024

_RAW = -zlib.MAX_WBITS  # deflate without a frame: the frame of gzip is made here
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, any system
_LEVEL = 6


@dataclass(frozen=True)
class Packed:
    """A compressed beginning that ends at a byte boundary, and what the frame needs to know of it."""

    deflated: bytes
    checksum: int
    size: int

    def with_end(self, end: bytes) -> bytes:
        """Return beginning and end as one member of gzip, which is all that some browsers read."""
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        checksum, size = zlib.crc32(end, self.checksum), (self.size + len(end)) % 2**32
        trailer = checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
        return b"".join((_HEADER, self.deflated, deflate.compress(end), deflate.flush(), trailer))


def pack(*pieces: bytes) -> Packed:
    """Compress a beginning; takes tens of milliseconds for a megabyte."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    deflated, checksum = [], 0
    for piece in pieces:
        deflated.append(deflate.compress(piece))
        checksum = zlib.crc32(piece, checksum)
    deflated.append(deflate.flush(zlib.Z_FULL_FLUSH))  # what follows refers to nothing before it
    return Packed(b"".join(deflated), checksum, sum(map(len, pieces)))


class ReadyGzip:
    """The packed beginning of one content's answers: made when it is first wanted, and kept."""

    def __init__(self) -> None:
        self._packing: asyncio.Task[Packed] | None = None

    async def packed(self, *pieces: bytes) -> Packed:
        """Return it; whoever wants it while it is made waits for the same one, and the loop goes on."""
        if self._packing is None:
            self._packing = asyncio.create_task(asyncio.to_thread(pack, *pieces))
        return await asyncio.shield(self._packing)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this `Accept-Encoding` is best served with gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for preference in accept_encoding.lower().split(","):
        coding, _, parameter = preference.partition(";")
        weights[coding.strip()] = _weight(parameter)
    weight = weights.get("gzip", weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
