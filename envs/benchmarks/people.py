"""Names of people: with titles or without, family name first or last, given names as initials."""

import re

from medrl.normal import normalise

_ASKS = re.compile(
    r"\bwho(?:se|m)?\b|\bauthor|\binvestigator|\bperson\b|\bname of the\b|谁|哪位|哪一位|姓名|名字", re.I
)
_TITLES = re.compile(
    r"^(?:(?:dr|prof|professor|doctor|mr|mrs|ms|mme|sir|dame)\b\.?\s*)+"
    r"|,?\s+(?:et al|m\.?\s?d|ph\.?\s?d|m\.?\s?sc|jr|sr)\b\.?",
    re.I,
)
_CHINESE_TITLES = re.compile(r"(?:院士|教授|博士|医生|医师|先生|女士|老师)$")
_INITIALS = re.compile(r"[^\W\d_](?:[-. ]*[^\W\d_]){0,2}\.?")


def same_person(said: str, gold: str, question: str) -> bool:
    """Whether both name the same person, where the question asks for one."""
    if _ASKS.search(question) is None:
        return False
    ours, theirs = _bare(said), _bare(gold)
    if not normalise(ours) or not normalise(theirs):
        return False
    return normalise(ours) == normalise(theirs) or _abbreviates(ours, theirs) or _abbreviates(theirs, ours)


def _bare(name: str) -> str:
    before = ""
    while before != name:  # "Dr. Jane Roe, MD, PhD" has several
        before, name = name, _CHINESE_TITLES.sub("", _TITLES.sub("", name.strip(" .,"))).strip(" .,")
    return name


def _abbreviates(short: str, full: str) -> bool:
    """Whether `short` is the family name of `full`, the last word, with the initials of all the others."""
    names = re.findall(r"[^\W\d_]+", full)
    words = short.replace(",", " ").split()
    if len(names) < 2 or len(words) < 2:
        return False
    *given, family = names
    initials = "".join(name[0] if len(name) > 2 or not name.isupper() else name for name in given).casefold()
    for name, letters in ((words[0], " ".join(words[1:])), (words[-1], " ".join(words[:-1]))):
        written = re.sub(r"[^\w]", "", letters)
        if letters.isupper() and _INITIALS.fullmatch(letters) and normalise(name) == normalise(family):
            return normalise(written) == normalise(initials)
    return False
