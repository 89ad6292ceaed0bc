"""What a body is: its first bytes say more than the header that came with it."""

from typing import Literal

Kind = Literal["html", "pdf", "xml", "plain"]
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_LOOKED_AT = 4_096
#: Bytes that text has none of, but for UTF-16 and UTF-32, whose marks are looked for first.
_BINARY = bytes({*range(32)} - {*b"\t\n\r\f\x1b"})
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def kind_of(body: bytes, content_type: str) -> Kind | None:
    """None for what is no document. `content_type`: in small letters, without parameters, "" if there is none."""
    start = body[:_LOOKED_AT].lstrip().lower()
    if b"%pdf-" in start[:1024] and (content_type == "application/pdf" or start.startswith(b"%pdf-")):
        return "pdf"
    if content_type == "application/pdf":
        return None
    if not body.startswith(tuple(BYTE_ORDER_MARKS)):
        strange = len(start) - len(start.translate(None, _BINARY))
        if 20 * strange > len(start):  # a stray one is no reason to give up a page
            return None
    if start.startswith(_HTML) or content_type in ("text/html", "application/xhtml+xml"):
        return "html"
    if start.startswith(b"<?xml") or content_type.endswith(("/xml", "+xml")):
        return "html" if b"<html" in start else "xml"
    if content_type in ("", "application/octet-stream") and start.startswith(b"<"):
        return "html"
    return "plain"
