"""The body of an answer, as it comes in: never more is held than was allowed, folded or unfolded."""

import zlib
from collections.abc import AsyncIterable


class BadBody(Exception):
    """It cannot be unfolded, or breaks off."""


class TooLong(BadBody):
    """It has more bytes than were allowed."""


async def gather(chunks: AsyncIterable[bytes], encoding: str, most: int) -> bytes:
    """All chunks, unfolded if `encoding`, the header Content-Encoding, says gzip. Raises BadBody, TooLong.

    At most `most` bytes are taken in, and as many given out.
    """
    folded = encoding.strip().lower()
    if folded not in ("identity", "gzip", ""):
        raise BadBody(f"an answer in the encoding {folded[:20]!r}, which was not asked for")
    unfold = zlib.decompressobj(wbits=31) if folded == "gzip" else None
    body, num_read = bytearray(), 0
    async for chunk in chunks:
        num_read += len(chunk)
        try:
            body += unfold.decompress(chunk, most + 1 - len(body)) if unfold else chunk
        except zlib.error as error:
            raise BadBody(f"an answer that is not gzip: {error}") from None
        if max(len(body), num_read) > most:
            raise TooLong(f"an answer of more than {most:,} bytes")
    if unfold is not None and not unfold.eof:
        raise BadBody("an answer that breaks off")
    return bytes(body)
