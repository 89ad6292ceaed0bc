"""Answers that say that there is none: what a benchmark's NA rows hold, and what agrees with them."""

import re

_NONE = re.compile(
    r"n\.?/?a\.?|nan|none|null|nil|not[ -](?:applicable|available|listed)|no (?:such )?(?:date|exclusivity|answer|data)"
    r"(?: exists?| available)?|does not exist|there (?:is|are) none|无|没有|不适用|未上市|不存在|暂无"
)


def is_absence(text: str) -> bool:
    """Whether `text` says that there is no such thing, and nothing else; an empty text does, too."""
    bare = text.casefold().replace("_", " ").strip(" .!*`'\"。\n\t")
    return not bare or _NONE.fullmatch(bare) is not None
