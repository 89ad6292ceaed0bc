"""What an agent that answers in a sentence gives as its answer: the sentence's parts that can be it.

A part is taken only out of a text that commits itself. Where the rest weighs other answers ("or", "perhaps", "not"),
the whole text alone is the answer, so that a list of candidates with a reason to each is still a list of candidates.
"""

import re
import unicodedata
from collections.abc import Iterator

_TAGS = re.compile(r"</?(?:answer|final_answer|b|i|strong|em)>|\*\*|__|`", re.I)
_FINAL = re.compile(
    r"(?:^|[\s,;.。，])(?:(?:so|thus|hence|therefore)[, ]+)?(?:the |my )?(?:final|exact|correct|short)?\s*answer"
    r"(?: to [^.:\n]{1,80}?)?\s*(?::|\bis\b:?|=)\s*(?P<rest>\S.*)"
    r"|(?:最终|最后|正确)?答案(?:是|为|:|：)+\s*(?P<chinese>\S.*)",
    re.I | re.DOTALL,
)
_LABEL = re.compile(r"(?P<label>[^\W\d][\w' /()-]{0,50}?)\s*[:=]\s*(?P<rest>\S.*)", re.DOTALL)
_SAYS = re.compile(
    r"(?P<subject>(?:the|its?|this|that|my|his|her|their|our|there|in|on|as|for|according|based)\b[^.:;\n?]{0,160}?)\s+"
    r"(?:is|was|are|were|has been|will be|should be|would be)\s+(?P<rest>\S.*)",
    re.I | re.DOTALL,
)
_SAYS_CHINESE = re.compile(
    r"(?P<subject>[^，。；？?,:\n]{1,40}?)(?:是|为|叫做?|共有|有)(?P<rest>[^是否]\S*.*)", re.DOTALL
)
_BREAK = re.compile(
    r"[.!]\s+(?=\S)|。\s*(?=\S)|\s*\n+\s*|\s+[-–—]{1,2}\s+|\s*——\s*|\s*[(（]"
    r"|,?\s+(?=(?:because|since|as|which|who|where|due to|according to|based on|per|given that|from|approved"
    r"|listed)\b)"
    r"|[,，]\s*(?=(?:because|since|which|who|according to|based on|因为|由于|根据|依据|即|这|该|其|属于|位于))"
)
_HEDGE = re.compile(
    r"\b(?:or|either|alternatively|another|also|might|may be|maybe|perhaps|possibly|possible|could|can|but|however"
    r"|although|though|not|no(?!\.\s?\d)|nor|neither|isn.?t|wasn.?t|aren.?t|instead|rather|unclear|uncertain|unsure"
    r"|unless|if|candidates?"
    r"|options?|others?|(?<!most )likely|wait|actually|correction|both|false|wrong|incorrect|except|never|hardly|yet"
    r"|exclud(?:ed?|es|ing)|reject(?:ed|s)?|ruled out|apart from|runners?[ -]up|competitors?|opposite)\b"
    r"|或|可能|也许|大概|另|不|但|然而|并非|没有|未|除了|以及|排除",
    re.I,
)
_REJECTS = re.compile(
    r"(?P<head>\S.*?)\s*,?\s*(?:\b(?:and not|not|rather than|instead of)\s|而不是|而非)(?P<other>.+)", re.DOTALL
)
_DONE_BY = re.compile(
    r"\w+(?:ed|en|made|found|held|led|known|done)\s+(?:by|as|in|at|on|with|for)\s+(?P<rest>\S.*)", re.DOTALL
)
_CONNECTS = re.compile(
    r"\b(?:is|was|are|were|the|by|of|in|has|had|this|it|on|to|for|at|a|an|from|source|see|because|since|which"
    r"|who|where|due|according|based|per|given|with|approved|listed)\b|[\u4e00-\u9fff]{3}",
    re.I,
)


_OWN_SUBJECTS = frozenset(
    "it its this that these those the they he she his her their our we i in on as at for with from by there here which "
    "who where because since according based see source final answer approved listed fda per given".split()
)
_SUBJECT = re.compile(r"(?P<subject>[^\W\d_][\w.'-]*(?: [\w.'-]+){0,4}?) (?:is|was|are|were|holds|has|had)\b", re.I)

LONGEST = 600
"""Characters of an answer that is looked into. A longer one is a report, and left to a judge."""


def final_answer(prediction: str) -> str:
    """The text after the last "final answer:", or all of it, without markup. Of a long text, the end is searched."""
    text = _TAGS.sub("", unicodedata.normalize("NFKC", prediction)).strip()
    stated = text[-2 * LONGEST :]
    while (found := _FINAL.search(stated)) is not None:
        stated = (found["rest"] or found["chinese"]).strip()
    return text if stated == text[-2 * LONGEST :] else stated


def commits(text: str) -> bool:
    """Whether the text weighs no other answer."""
    return _HEDGE.search(text) is None


def forms(answer: str) -> Iterator[str]:
    """The answer as written, without its label ("COMPANY: …"), as what a sentence says ("The sponsor was …"), and each
    of these without the explanation that follows."""
    if answer.endswith(("?", "？")):
        yield answer
        return
    for form in dict.fromkeys((answer, *_contents(answer))):
        yield form
        yield from _head(form)


def _contents(text: str) -> Iterator[str]:
    for pattern, name in ((_LABEL, "label"), (_SAYS, "subject"), (_SAYS_CHINESE, "subject")):
        found = pattern.fullmatch(text)
        if found is not None and commits(found[name]):
            rest = found["rest"].strip()
            yield re.sub(r"^most (?:likely|probably) ", "", rest)
            if pattern is _LABEL:
                yield from _contents(rest)
            elif (done := _DONE_BY.fullmatch(rest)) is not None:
                yield done["rest"]


def _head(text: str) -> Iterator[str]:
    """What comes before an explanation that commits itself and is one: words that connect, no bare list."""
    rejects = _REJECTS.fullmatch(text)
    if rejects is not None and commits(rejects["head"]) and commits(rejects["other"]):
        yield rejects["head"]
    for found in _BREAK.finditer(text):
        head, rest = text[: found.start()].strip(), text[found.end() :].strip()
        if (
            head
            and commits(rest)
            and not _names_another(head, rest)
            and _CONNECTS.search(rest) is not None
            and len(rest.split()) + len(rest) // 8 >= 3
        ):
            yield head


def _names_another(head: str, rest: str) -> bool:
    """Whether the explanation begins with a subject of its own: "Roche. Pfizer is the sponsor"."""
    found = _SUBJECT.match(rest)
    if found is None:
        return False
    subject = found["subject"].casefold()
    return subject.split()[0] not in _OWN_SUBJECTS and subject.split()[0] not in head.casefold().split()
