"""What a client names the config by that it has seen: `hash` in answers, `If-Match` in requests."""

import hashlib
from collections.abc import Iterable


def config_hash(contents: Iterable[bytes]) -> str:
    """Return the hash of a config by its files: the root first, then each that it includes, in their order.

    Of a root that includes nothing it is the SHA-256 of its bytes; of several files, the SHA-256 over the
    SHA-256 digests (32 bytes each) of all. Where the files lie is no part of it: their texts say that.
    """
    digests = [hashlib.sha256(content) for content in contents]
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()
