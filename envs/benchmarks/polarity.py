"""Yes and no, in English and Chinese."""

import re

from envs.benchmarks.statements import commits

_YES = re.compile(r"(?:yes|yeah|true|correct|是的?|对|能够?|可以|有|会|参加了)(?![\w-])", re.I)
_NO = re.compile(
    r"(?:no|nope|false|incorrect|不是|否|不能|不可以|没有|不会|不对|不(?!清楚|知道|确定|详|明)|未(?!知|找到|能))(?![a-z-])",
    re.I,
)
_DENIES = re.compile(
    r"(?:(?:no|it|he|she|they|this|that)\b,?\s*)?(?:\b(?:is|was|are|were|has|have|does|did|do|can|could)\s+)?"
    r"\bnot\s+(?!only|sure|known|found|given|stated|available|reported|specified|applicable|just|enough|clear)\w[^.;?]*",
    re.I,
)


def polarity(text: str, *, leading: bool = False) -> bool | None:
    """True for yes, False for no, None for anything else. `leading`: what follows the word may be a reason that commits
    itself, and a denial ("It has not been tested") is a no."""
    bare = text.strip(" .。!*'\"")
    for pattern, value in ((_NO, False), (_YES, True)):
        found = pattern.match(bare)
        if found is not None and (found.end() == len(bare) or (leading and _explains(bare[found.end() :]))):
            return value
    return False if leading and _DENIES.fullmatch(bare) is not None else None


def _explains(rest: str) -> bool:
    """A reason follows a comma or a full stop, or is in Chinese: "No idea" is no no."""
    return commits(rest) and re.match(r"\s*[,.;:，。；：\u4e00-\u9fff(（-]", rest) is not None
