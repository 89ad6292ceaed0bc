"""Running text to the short self-contained sentences that a document is made of."""

import re

#: The end of a sentence: a mark, perhaps a closing bracket or quote, a blank, and what begins another one.
_END = re.compile(r"(?<=[.?!])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
#: What a point after does not end: abbreviations, and single letters, as in "E. coli".
_GOES_ON = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|cf|ca|approx|al|fig|figs|no|nos|dr|mr|mrs|ms|st|ref|refs|sp|spp|var|inc|corp|ltd|vol|eq)"
    r"|(?:^|[\s(])[A-Za-z])\.$",
    re.IGNORECASE,
)
_LONGEST = 1_000


def sentences(text: str, label: str = "") -> list[str]:
    """The sentences of a text, white space made single, each with its `label` before it, as it may be read alone.

    One of more than 1,000 characters is cut between words."""
    found: list[str] = []
    start = 0
    text = " ".join(text.split())
    for end in _END.finditer(text):
        if not _GOES_ON.search(text, start, end.start()):
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:])
    lead = f"{label}: " if label else ""
    return [lead + piece for sentence in found if sentence for piece in _pieces(sentence)]


def _pieces(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > _LONGEST:
        cut = sentence.rfind(" ", 0, _LONGEST)
        cut = cut if cut > 0 else _LONGEST
        pieces.append(sentence[:cut])
        sentence = sentence[cut:].lstrip()
    return [*pieces, sentence]
