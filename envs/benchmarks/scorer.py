"""Is this answer to a benchmark's question right? Typed rules; what they leave open is a judge's to say.

    rule        the gold answer is                          right                                    settled if wrong
    absence     that there is none                          NA, none, not listed …                   any other answer
    identifier  an NCT number, PMID …                       the same, alone or in a sentence         another identifier
    date        a date                                      the same day, or within the gold month   another date
    amount      a number, with a unit or none               equal, as `Quantity.agrees` has it       more than 5% away
    polarity    yes or no                                   begins with it                           begins otherwise
    list        several things                              the same things in any order             no
    name        anything else                               another spelling, see `medrl.matching`   no

These rules are for measuring: unlike the reward's matcher, they look for the answer inside a sentence. A text that
weighs several answers is INCORRECT for both. Wrong and not settled (rule "unmatched") is what a judge may overrule: a
name has synonyms, while two dates that differ are two dates, whatever a judge thinks of them.
"""

import re
from collections.abc import Iterator, Sequence

from envs.benchmarks.absence import abstains, begins_with_absence, gives_one, is_absence
from envs.benchmarks.amounts import CURRENCIES, amounts_in, read_amount
from envs.benchmarks.codes import is_code, other_code, same_code
from envs.benchmarks.companies import same_company
from envs.benchmarks.days import Day, bounds_in, days_in, month_first, read_day
from envs.benchmarks.item import Item
from envs.benchmarks.lists import same_list
from envs.benchmarks.people import same_person
from envs.benchmarks.polarity import polarity
from envs.benchmarks.scored import Score
from envs.benchmarks.statements import LONGEST, commits, final_answer, forms
from medrl.matching import Verdict, match
from medrl.normal import identifiers, normalise

UNMATCHED = "unmatched"
"""No rule says correct, and none can say that it is wrong for certain."""
FAR = 20
"""Two amounts that differ by more than 1/20 are no rounding of one another."""
_ALSO = re.compile(
    r"(?P<outside>[^()（）]+)[(（](?P<says>又名|又称|也称作?|也叫|即|also known as|also|aka)?\s*"
    r"(?P<inside>[^()（）]+)[)）]"
)
_YEAR = re.compile(r"(?:1[89]|20)\d{2}\s*年?")
_PRICE = re.compile(r"\b(?:price|cost|close|open)", re.I)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def score(item: Item, prediction: str | None) -> Score:
    """By rules alone. No prediction, or an abstention, is UNKNOWN."""
    said = final_answer(prediction or "")
    if said and not normalise(item.answer):  # a gold answer of signs alone
        return Score(Verdict.CORRECT, "name") if said == item.answer.strip() else Score(Verdict.INCORRECT, UNMATCHED)
    if not normalise(said):
        return Score(Verdict.UNKNOWN, "nothing")
    options = [said] if is_code(said) or len(said) > LONGEST else list(forms(said))
    if item.is_na:
        return _against_absence(said, options)
    if normalise(said) == normalise(item.prompt):
        return Score(Verdict.INCORRECT, "question")
    golds = [gold for gold in _golds(item) if normalise(gold)]
    if len(said) > LONGEST:
        return Score(Verdict.INCORRECT, UNMATCHED)
    for option in options:
        rule = _rule(option, golds, item)
        if rule:
            return Score(Verdict.CORRECT, rule)
    if any(map(is_absence, options)):
        offered = re.search(r"\bNA\b|NOT LISTED", item.prompt) is not None
        return Score(Verdict.INCORRECT, "absence") if offered else Score(Verdict.UNKNOWN, "abstention")
    rule = next((rule for option in options if (rule := _contradiction(option, golds, item.prompt))), "")
    if rule:
        return Score(Verdict.INCORRECT, rule)
    if match(said, item.answer) is Verdict.UNKNOWN or abstains(said):
        return Score(Verdict.UNKNOWN, "abstention")
    return Score(Verdict.INCORRECT, UNMATCHED)


def _against_absence(said: str, options: Sequence[str]) -> Score:
    if any(map(begins_with_absence, options)) and not gives_one(said):
        return Score(Verdict.CORRECT, "absence")
    if match(said, "NA") is Verdict.UNKNOWN or abstains(said):
        return Score(Verdict.UNKNOWN, "abstention")
    return Score(Verdict.INCORRECT, "absence")


def _golds(item: Item) -> Iterator[str]:
    """The gold answers: also both names of "车前 (又名蛤蟆草)", and those that slashes part."""
    for gold in (item.answer, *item.aliases):
        yield gold
        also = _ALSO.fullmatch(gold.strip())
        if also is not None:
            in_two_scripts = bool(_CHINESE.search(also["outside"])) != bool(_CHINESE.search(also["inside"]))
            if also["says"] or in_two_scripts:
                yield from (also["outside"].strip(), also["inside"].strip())
        parts = [part.strip() for part in gold.split("/")]
        if len(parts) > 1 and all(re.fullmatch(r"[\u4e00-\u9fff·]{2,}", part) for part in parts):
            yield from parts


def _rule(said: str, golds: Sequence[str], item: Item) -> str:
    """The rule by which `said` is one of `golds`; "" if there is none."""
    if any(same_code(said, gold) for gold in golds):
        return "identifier"
    if any(_same_day(said, gold, item.prompt) for gold in golds):
        return "date"
    if _same_amount(said, golds, item.prompt):
        return "amount"
    sense = polarity(item.answer)
    if sense is not None and polarity(said, asked=item.prompt) is sense:
        return "polarity"
    if not _is_amount(golds) and _same_name(said, golds, item.prompt):
        return "name"

    def same(ours: str, theirs: str) -> bool:
        return same_code(ours, theirs) or _same_amount(ours, [theirs], "") or _same_name(ours, [theirs], item.prompt)

    return "list" if any(same_list(said, gold, same) for gold in golds) else ""


def _contradiction(said: str, golds: Sequence[str], question: str) -> str:
    """The rule by which `said` is certainly none of `golds`; "" if there is none."""
    if other_code(said, list(golds)):
        return "identifier"
    day, days = read_day(said, month_first(question)), [read_day(gold, None) for gold in golds]
    if day is not None and all(each is not None and not _may_be(day, each) for each in days):
        return "date"
    amount, amounts = read_amount(said), [read_amount(gold) for gold in golds]
    if amount is not None and all(
        gold is not None and gold.unit == amount.unit and abs(amount.value - gold.value) * FAR > abs(gold.value)
        for gold in amounts
    ):
        return "amount"
    sense = polarity(golds[0])
    return "polarity" if sense is not None and polarity(said, asked=question) is (not sense) else ""


def _same_day(said: str, gold: str, question: str) -> bool:
    """A date may be more precise than the gold one. In a sentence it must be the only one besides the question's."""
    theirs = read_day(gold, None)
    if theirs is None:
        return False
    order = month_first(question)
    ours = read_day(said, order)
    if ours is None and commits(said):
        named = days_in(said, order) - days_in(question, order) - bounds_in(said, order)
        ours = named.pop() if len(named) == 1 else None
    return ours is not None and ours[: len(theirs)] == theirs


def _may_be(one: Day, other: Day) -> bool:
    """Whether they are the same as far as both go."""
    return all(ours == theirs for ours, theirs in zip(one, other, strict=False))


def _is_amount(golds: Sequence[str]) -> bool:
    return all(read_amount(gold) is not None for gold in golds)


def _same_amount(said: str, golds: Sequence[str], question: str) -> bool:
    """In a sentence, the amount must be the only number besides the question's, or the only sum of money where a price
    is asked for; a year in a sentence is a date's to find. A unit must be that of a gold amount, if any has one."""
    amounts = [amount for amount in map(read_amount, golds) if amount is not None]
    if not amounts:
        return False
    ours = read_amount(said)
    if ours is None and commits(said) and not identifiers(said)[0] and not any(map(_YEAR.fullmatch, golds)):
        asked = [amount.value for amount in amounts_in(question)]
        named = [amount for amount in amounts_in(said) if amount.value not in asked]
        if len(named) > 1 and _PRICE.search(question) is not None:
            named = [amount for amount in named if amount.unit in CURRENCIES]
        ours = named[0] if len(named) == 1 else None
    if ours is None:
        return False
    with_unit = [amount for amount in amounts if amount.unit]
    return any(ours.agrees(amount) for amount in (with_unit if ours.unit and with_unit else amounts))


def _same_name(said: str, golds: Sequence[str], question: str) -> bool:
    return match(said, golds[0], aliases=golds[1:]) is Verdict.CORRECT or any(
        _inverted(said, gold) or same_company(said, gold, question) or same_person(said, gold, question)
        for gold in golds
    )


def _inverted(said: str, gold: str) -> bool:
    """Whether one of the two is "Last, First" of the other."""
    for inverted, plain in ((said, gold), (gold, said)):
        last, comma, first = inverted.partition(",")
        if comma and "," not in first and normalise(f"{first} {last}") == normalise(plain):
            return True
    return False
