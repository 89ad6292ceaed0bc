"""The process that parses one document: little memory, little time, no file of any size written, no keys in its
environment. It is the same user's, so it bounds what a parser may use up, not what one that was taken over may read.

It prints a line once it is ready, reads the request and the body from its input, and prints what it found, as JSON:
{"title": …, "sections": […]} or {"unreadable": why}.
"""

import json
import math
import resource
import sys

from envs.reading.html import read_html
from envs.reading.kinds import Kind, kind_of
from envs.reading.pieces import Pieces, sections, title_of
from envs.reading.plain import decode, read_plain
from envs.reading.pubmed_xml import read_xml

READY = b"ready\n"
_LEAST = 32_000_000


def parse(body: bytes, kind: Kind, charset: str, most_sheets: int) -> Pieces:
    """Raises ValueError for a body that is not of its kind."""
    match kind:
        case "pdf":
            # Here, as it takes longer to import than all else, and few pages want it.
            from envs.reading.pdf import read_pdf

            return read_pdf(body, most_sheets)
        case "html":
            return read_html(decode(body, charset))
        case "xml":
            return read_xml(body)
        case "plain":
            return read_plain(decode(body, charset))


def main() -> None:
    """Its arguments are those of `limits`."""
    seconds, memory, most_sheets, most_sections, letters = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bytearray(_LEAST)  # with less than this no page would be read: let that show before one is blamed
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    content_type, charset = json.loads(sys.stdin.buffer.readline())
    body = sys.stdin.buffer.read()
    kind = kind_of(body, content_type)
    if kind is None:
        print(json.dumps({"unreadable": "it is not text"}))
        return
    try:
        found = parse(body, kind, charset, most_sheets)
        answer = {"title": title_of(found), "sections": sections(found.pieces, most_sections, letters)}
    except ValueError as error:
        answer = {"unreadable": str(error)}
    print(json.dumps(answer))


def limits(seconds: float, memory: int, most_sheets: int, most_sections: int, letters: int) -> list[str]:
    """The arguments that `main` takes: CPU time, memory in bytes, and how much text is wanted."""
    return [str(each) for each in (math.ceil(seconds), memory, most_sheets, most_sections, letters)]


if __name__ == "__main__":
    main()
