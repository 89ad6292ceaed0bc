"""Answers that say that there is none, which NA rows hold, and answers that say nothing: two different things."""

import re

LONGEST_ABSTENTION = 30
"""Words. A longer text reports what could not be found on the way to an answer, too."""
_NONE = re.compile(
    r"n\.?/?a\.?|nan|none|null|nil|not[ -](?:applicable|available|listed)"
    r"|(?:there (?:is|are) )?no (?:[a-z]+ ){0,3}[a-z]+"
    r"(?: exists?| applies| listed)?|(?:it )?does not exist|there (?:is|are) none|无|没有|不适用|未上市|不存在|暂无"
)
_NO_ABSENCE = re.compile(
    r"\bno (?:doubt|problem|question|matter|wonder|brainer|big|other|others|further|one|earlier|later|longer|sooner"
    r"|more|less|fewer)\b|\b(?:until|till|before|than|but|except)\b"
)
_GIVES_ONE = re.compile(r"\b(?i:it|this|that|answer|company|holder|sponsor|date|one) (?:is|was) (?:the )?[A-Z0-9]")
_ENDS = re.compile(r"\s*(?:[.,;:(（。，；\n]|\s[-–—]\s|\bbecause\b|\bas\b|\bsince\b)")
_SEARCHED = re.compile(r"found|locat|retriev|know|idea|answer|information|data|report|state|given", re.I)
_ABSTAINS = re.compile(
    r"\b(?:cannot|can not|can.?t|could not|couldn.?t|unable to|not able to|failed to|fail to)\b"
    r"|\b(?:did|would|does|do|has|have|is|are|was|were|be|been|could)(?:\s+not|n.t)\s+(?:\w+\s+)?(?:load|open|respond|name"
    r"|say|state|give|given|report|reported|list|know|known|found|find|provided|available|accessible|retrievable|shown"
    r"|seen|established|specified|disclosed|mapped|determined|stated|listed|mentioned|confirmed|recorded|published)\b"
    r"|\bnot\s+(?:found|available|given|stated|reported|specified|provided|accessible|determinable|established|mapped"
    r"|disclosed|mentioned|known|seen|retrievable|recorded|sure|enough|to be found)\b"
    r"|\bno\s+(?:idea|answer|clue|count|information|data|details|result)\b"
    r"|\b(?:no|none)\b[^.;]{0,60}\b(?:found|locat\w+|given|shown|listed|retrieved|stated|reported|specified|provided|names"
    r"|lists|said|known|cannot|available)\b"
    r"|\b(?:unknown|unavailable|unclear|tbd|pending|inaccessible|undetermined|insufficient|unsure|no answer)\b"
    r"|\bi would need\b|^[<\[(].*[>\])]$|^[x/. -]{3,}$|\b(?:value|data|table|is|are) missing\b"
    r"|[a-z$€£:.]\s*\?$|^\W*n/?a\W*$"
    r"|不知道|不清楚|不确定|不详|未知|无法|未披露|未找到|没有找到|没有公开|查不到|找不到|暂无|不足"
    r"|没有[^，。]{0,12}(?:信息|资料|数据|答案)"
    r"|keine angabe|nicht (?:bekannt|gefunden|angegeben)|no se (?:puede|sabe|encontr)|desconocid|inconnu|non trouv",
    re.I,
)


def is_absence(text: str) -> bool:
    """Whether `text` says that there is no such thing, and nothing else; an empty text does, too."""
    bare = text.casefold().replace("_", " ").strip(" .!*`'\"。\n\t")
    return not bare or (
        _NONE.fullmatch(bare) is not None and _SEARCHED.search(bare) is None and _NO_ABSENCE.search(bare) is None
    )


def begins_with_absence(text: str) -> bool:
    """Whether `text` says that there is none, and then why; one with a number names something after all."""
    if is_absence(text):
        return True
    start = _ENDS.split(text.strip(), maxsplit=1)[0]
    return bool(start) and is_absence(start) and re.search(r"\d", text) is None


def gives_one(text: str) -> bool:
    """Whether `text` gives an answer after all: "Not listed. It is Pfizer"."""
    return _GIVES_ONE.search(text) is not None


def abstains(text: str) -> bool:
    """Whether a short text has a phrase of someone who does not know. Ask last: it may stand beside an answer."""
    return len(text.split()) <= LONGEST_ABSTENTION and _ABSTAINS.search(text) is not None
