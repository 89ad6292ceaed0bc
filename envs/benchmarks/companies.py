"""Company names: the same firm with and without its legal form."""

import re

from medrl.normal import normalise

_LEGAL = frozenset(
    "inc incorporated corp corporation co company llc llp lp ltd limited plc gmbh ag sa sas sarl srl spa nv bv cv ab "
    "oy kk pty sub se".split()
)
_TRADE = frozenset(
    "pharma pharmaceutical pharmaceuticals pharms pharm us usa america americas international intl global holding "
    "group laboratory laboratories lab biopharma biopharmaceutical therapeutic".split()
)
"""Words after a drug maker's name that tell its trade or its country's branch."""
_ASKS = re.compile(r"\b(?:company|companies|manufacturer|applicant|sponsor|firm)\b|公司|企业|厂商", re.I)
_CHINESE = re.compile(r"(?:股份)?(?:有限)?(?:责任)?公司$|集团$")


def same_company(said: str, gold: str, question: str) -> bool:
    """Whether both name the same firm, but for its legal form; where the question asks for a company, but for words of
    its trade, too."""
    if re.search(r"\d", said + gold):
        return False
    ours, theirs = (_stem(name, _LEGAL) for name in (said, gold))
    if ours and ours == theirs:
        return True
    if _ASKS.search(question) is None:
        return False
    ours, theirs = (_stem(name, _LEGAL | _TRADE) for name in (said, gold))
    return bool(ours) and ours == theirs


def _stem(name: str, ends: frozenset[str]) -> tuple[str, ...]:
    """Its words without those of `ends` at the end; one word at least is left."""
    words = normalise(
        _CHINESE.sub("", re.sub(r"(?<=\b[a-z])\.(?=[a-z]\b|\s|$|,)", "", name.strip().casefold()))
    ).split()
    while len(words) > 1 and words[-1] in ends:
        words.pop()
    return tuple(words)
