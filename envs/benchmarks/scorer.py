"""Is this answer to a benchmark's question right? Typed rules; what they leave open is a judge's to say.

    rule        the gold answer is                          right                                    settled if wrong
    absence     that there is none                          NA, none, not listed …                   any other answer
    identifier  an NCT number, PMID …                       the same, alone or in a sentence         another identifier
    date        a date                                      the same day, or within the gold month   another date
    amount      a number, with a unit or none               equal, as `Quantity.agrees` has it       more than 5% away
    polarity    yes or no                                   begins with it                           begins with the other
    list        several things                              the same things in any order             no
    name        anything else                               another spelling, see `medrl.matching`   no

These rules are for measuring: unlike the reward's matcher, they look for the answer inside a sentence. A text that
weighs several answers is INCORRECT for both. Wrong and not settled (rule "unmatched") is what a judge may overrule: a
name has synonyms, while two dates that differ are two dates, whatever a judge thinks of them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from envs.benchmarks.absence import is_absence
from envs.benchmarks.amounts import read_amount
from envs.benchmarks.companies import same_company
from envs.benchmarks.days import days_in, month_first, read_day
from envs.benchmarks.item import Item
from envs.benchmarks.scored import Score
from envs.benchmarks.statements import commits, final_answer, forms
from medrl.matching import Verdict, match
from medrl.normal import identifiers, normalise

UNMATCHED = "unmatched"
"""No rule says correct, and none can say that it is wrong for certain."""
FAR = 20
"""Two amounts that differ by more than 1/20 are no rounding of one another."""
_SEPARATOR = re.compile(
    r"\s*(?:[;；、\n|]|,(?!\d{3}\b)|，|\s+(?:and|&)\s+|(?<=[\u4e00-\u9fff）)])[和与及](?=[\u4e00-\u9fff]))\s*(?:and\s+)?"
)
_BULLET = re.compile(r"^\s*(?:[-*•·]|\(?\d{1,2}[.)、])\s+", re.M)
_ALSO = re.compile(
    r"([^()（）]+)[(（](?:又名|又称|也称|也称作|也叫|即|also|aka|a\.k\.a\.?|or|also known as)?\s*([^()（）]+)[)）]"
)
_YES = re.compile(r"(?:yes|yeah|true|correct|是的?|对|能够?|可以|有|会|参加了)(?![\w-])", re.I)
_NO = re.compile(r"(?:no|nope|false|incorrect|不是|否|不能|不可以|没有|不会|不对|不|未)(?![a-z-])", re.I)
_ABSTAINS = re.compile(
    r"(?:sorry|unfortunately|抱歉|很遗憾)?[,， ]*(?:不知道|不清楚|不确定|未知|无法(?:确定|回答|判断|找到).*|未(?:能)?找到.*"
    r"|(?:i|we) (?:was|were|am|are) (?:unable|not able) .*|(?:i|we) (?:did not|didn.t|couldn.t|could not|cannot|can.t) .*"
    r"|(?:the )?(?:answer|information|data) (?:is unknown|is not available|could not be .*|cannot be .*|was not found.*))",
    re.I | re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.])[$¥€£]?\d[\d,]*(?:\.\d+)?(?:\s*%)?(?![\w.]*\d)")


def score(item: Item, prediction: str | None) -> Score:
    """By rules alone. No prediction, or an abstention, is UNKNOWN."""
    said = final_answer(prediction or "")
    if not normalise(said):
        return Score(Verdict.UNKNOWN, "nothing")
    options = list(forms(said))
    if item.is_na:
        return _against_absence(said, options)
    if normalise(said) == normalise(item.prompt):
        return Score(Verdict.INCORRECT, "question")
    golds = list(_golds(item))
    first_month = month_first(item.prompt)
    for gold in golds:
        for option in options:
            rule = _agreement(option, gold, item.prompt, first_month)
            if rule:
                return Score(Verdict.CORRECT, rule)
    if any(is_absence(option) for option in options) and re.search(r"\bNA\b|NOT LISTED", item.prompt):
        return Score(Verdict.INCORRECT, "absence")
    if _abstains(said, item.answer):
        return Score(Verdict.UNKNOWN, "abstention")
    rule = next((rule for option in options if (rule := _contradiction(option, golds, first_month))), UNMATCHED)
    return Score(Verdict.INCORRECT, rule)


def _against_absence(said: str, options: Sequence[str]) -> Score:
    if any(is_absence(option) for option in options):
        return Score(Verdict.CORRECT, "absence")
    if _abstains(said, "NA"):
        return Score(Verdict.UNKNOWN, "abstention")
    return Score(Verdict.INCORRECT, "absence")


def _abstains(said: str, gold: str) -> bool:
    return match(said, gold) is Verdict.UNKNOWN or _ABSTAINS.fullmatch(said.strip(" .。!")) is not None


def _golds(item: Item) -> Iterator[str]:
    """The gold answers: also both names of "玉竹 (又名萎蕤)", and those that slashes part."""
    for gold in (item.answer, *item.aliases):
        if not normalise(gold):
            continue
        yield gold
        also = _ALSO.fullmatch(gold.strip())
        if also is not None and _another_name(gold, also[1], also[2]):
            yield from (also[1].strip(), also[2].strip())
        parts = gold.split("/")
        if len(parts) > 1 and all(re.fullmatch(r"[\u4e00-\u9fff·]{2,}", part.strip()) for part in parts):
            yield from (part.strip() for part in parts)


def _another_name(gold: str, outside: str, inside: str) -> bool:
    """Whether a parenthesis says what else a thing is called: it says so, or it is in another script."""
    says_so = re.search(r"[(（](?:又|也|即|also|aka|a\.k\.a)", gold, re.I) is not None
    return says_so or bool(_is_chinese(outside)) != bool(_is_chinese(inside))


def _is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None


def _agreement(said: str, gold: str, question: str, first_month: bool | None) -> str:
    """The rule by which `said` is `gold`; "" if there is none."""
    if _same_identifier(said, gold):
        return "identifier"
    if _same_day(said, gold, question, first_month):
        return "date"
    if _same_amount(said, gold, question):
        return "amount"
    if _polarity(gold, whole=True) is not None and _polarity(said) == _polarity(gold, whole=True):
        return "polarity"
    if match(said, gold) is Verdict.CORRECT or _inverted(said, gold) or same_company(said, gold, question):
        return "name"
    return "list" if _same_list(said, gold, question, first_month) else ""


def _contradiction(said: str, golds: Sequence[str], first_month: bool | None) -> str:
    """The rule by which `said` is certainly none of `golds`; "" if there is none."""
    ids, day, amount, polarity = identifiers(said)[0], read_day(said, first_month), read_amount(said), _polarity(said)
    gold_ids = [identifiers(gold)[0] for gold in golds]
    if ids and all(gold_ids) and not any(ids & each for each in gold_ids):
        return "identifier"
    days = [read_day(gold, None) for gold in golds]
    if day is not None and all(days) and len(day) >= max(len(each or ()) for each in days):
        return "date"
    amounts = [read_amount(gold) for gold in golds]
    if amount is not None and all(
        gold is not None and gold.unit == amount.unit and abs(amount.value - gold.value) * FAR > abs(gold.value)
        for gold in amounts
    ):
        return "amount"
    polarities = [_polarity(gold, whole=True) for gold in golds]
    return "polarity" if polarity is not None and all(each is (not polarity) for each in polarities) else ""


def _same_identifier(said: str, gold: str) -> bool:
    gold_ids, rest = identifiers(gold)
    return len(gold_ids) == 1 and not rest and identifiers(said)[0] == gold_ids and commits(said)


def _same_day(said: str, gold: str, question: str, first_month: bool | None) -> bool:
    """A date may be more precise than the gold one. In a sentence it must be the only one that is not the question's."""
    theirs = read_day(gold, first_month)
    if theirs is None:
        return False
    ours = read_day(said, first_month)
    if ours is None and commits(said):
        named = days_in(said, first_month) - days_in(question, first_month)
        ours = named.pop() if len(named) == 1 else None
    return ours is not None and ours[: len(theirs)] == theirs


def _same_amount(said: str, gold: str, question: str) -> bool:
    """In a sentence, the amount must be the only number that is not the question's."""
    theirs = read_amount(gold)
    if theirs is None:
        return False
    ours = read_amount(said)
    if ours is None and commits(said) and not identifiers(said)[0]:
        named = set(_NUMBER.findall(unicodedata.normalize("NFKC", said))) - set(_NUMBER.findall(question))
        ours = read_amount(named.pop()) if len(named) == 1 else None
    return ours is not None and ours.agrees(theirs)


def _polarity(text: str, *, whole: bool = False) -> bool | None:
    """True for yes, False for no, None for neither; `whole`: if it says nothing else."""
    bare = text.strip(" .。!*'\"")
    for pattern, value in ((_NO, False), (_YES, True)):
        found = pattern.match(bare)
        if found is not None and (found.end() == len(bare) or not whole):
            return value if whole or commits(bare[found.end() :]) else None
    return None


def _inverted(said: str, gold: str) -> bool:
    """Whether one of the two is "Last, First" of the other."""
    for inverted, plain in ((said, gold), (gold, said)):
        last, comma, first = inverted.partition(",")
        if comma and "," not in first and normalise(f"{first} {last}") == normalise(plain):
            return True
    return False


def _same_list(said: str, gold: str, question: str, first_month: bool | None) -> bool:
    """The same things in any order, none missing, none twice and none besides."""
    theirs = _things(gold)
    ours = _things(said)
    if len(theirs) < 2 or len(ours) != len(theirs):
        return False
    for thing in theirs:
        found = next((each for each in ours if _agreement(each, thing, question, first_month)), None)
        if found is None:
            return False
        ours.remove(found)
    return True


def _things(text: str) -> list[str]:
    return [part for part in _SEPARATOR.split(_BULLET.sub("", text.strip(" .。"))) if part and normalise(part)]
