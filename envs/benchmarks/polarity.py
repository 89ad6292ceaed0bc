"""Yes and no, in English and Chinese."""

import re

from envs.benchmarks.statements import commits

_YES = re.compile(r"(?:yes|yeah|true|correct|是的?|对|能够?|可以|有|会|参加了)(?![\w-])", re.I)
_NO = re.compile(
    r"(?:no|nope|false|incorrect|不是|否|不能|不可以|没有|不会|不对|不(?!清楚|知道|确定|详|明)|未(?!知|找到|能))(?![a-z-])",
    re.I,
)
_AT_ALL = ("possible", "true", "so", "correct", "the case")
_LITTLE = frozenset("been that this than then they with from into were what which does have".split())
_DENIES = re.compile(
    r"(?:(?:no|it|he|she|they|this|that)\b,?\s*)?(?:\b(?:is|was|are|were|has|have|does|did|do|can|could)\s+)?"
    r"\bnot\s+(?!only|sure|known|found|given|stated|available|reported|specified|applicable|just|enough|clear)(?P<what>\w[^.;?]*)",
    re.I,
)


def polarity(text: str, *, asked: str | None = None) -> bool | None:
    """True for yes, False for no, None for anything else. `asked`: the question, where the text answers one; then what
    follows the word may be a reason that commits itself, and a denial of what was asked ("It has not been tested") is a
    no."""
    bare = text.strip(" .。!*'\"")
    for pattern, value in ((_NO, False), (_YES, True)):
        found = pattern.match(bare)
        if found is not None and (found.end() == len(bare) or (asked is not None and _explains(bare[found.end() :]))):
            return value
    denial = _DENIES.fullmatch(bare) if asked is not None else None
    if denial is None or asked is None:
        return None
    return False if denial["what"] in _AT_ALL or _shares_a_word(denial["what"], asked) else None


def _explains(rest: str) -> bool:
    """A reason follows a comma or a full stop, or is in Chinese: "No idea" is no no."""
    return (
        commits(rest)
        and re.search(r"\b(?:yes|no)\b|是的", rest, re.I) is None
        and re.match(r"\s*[,.;:，。；：\u4e00-\u9fff(（-]", rest) is not None
    )


def _shares_a_word(text: str, question: str) -> bool:
    """Whether a word of four letters or more in `text` begins as one of the question does: tested, test."""
    ours, theirs = (
        {word[:4].casefold() for word in re.findall(r"[^\W\d_]{4,}", each) if word.casefold() not in _LITTLE}
        for each in (text, question)
    )
    return not ours.isdisjoint(theirs)
