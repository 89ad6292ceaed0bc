"""Is this answer the gold answer? Deterministic matching, and the reading of a language-model judge's reply."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from medrl.normal import compact, date, identifiers, normalise, quantity
from medrl.types import Question


class Verdict(StrEnum):
    """UNKNOWN is not INCORRECT: an abstention, or a judge that could not be understood."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    UNKNOWN = "unknown"


_LEAD_WORDS = frozenset(
    "the a an my it this that final correct best answer gene disease disorder syndrome condition diagnosis drug trial "
    "phenotype finding inheritance mode of pattern onset organ system name identifier id causative causal responsible "
    "most likely probably underlying therefore so".split()
)
_LEAD = re.compile(r"(?P<lead>[A-Za-z' ]{1,60}?)\s*(?::|\b(?:is|are)\b)\s*(?P<rest>\S.*)", re.DOTALL)
_BOXED = re.compile(r"\$*\\boxed\{(?:\\text\{)?(?P<rest>[^{}]*)\}*\$*\.?")
_PARENTHESIS = re.compile(r"(?P<outside>[^()]+)\((?P<inside>[^()]+)\)\s*\.?")
_SAME_AS = re.compile(r"\s*=\s*|(?<!\d)/|/(?!\d)|,?\s+(?:aka|a\.k\.a\.|also known as)\s+", re.I)
_OTHER_THINGS = re.compile(
    r"[,;/]|\b(?:or|and|not|nor|but|no|never|except|exclud\w+|without|other|than|instead|unlike|successor|neither|apart)\b",
    re.I,
)
"""In what stands around an identifier: it is one of several, or is not meant."""
_SUFFIXES = ("gene", "inheritance", "onset")
_ABSTENTION = re.compile(
    r"unknown|n/?a|none|null|nil|idk|unclear|undetermined|no (?:answer|information|data)(?: (?:was )?found)?"
    r"|not (?:sure|known|available|applicable|found|given|specified|determined|enough .*)"
    r"|(?:sorry,? )?i (?:do not|don.?t|cannot|can not|can.?t|could not|couldn.?t|am not|.m not|am unable|have no) .*"
    r"|i.m (?:not|unable|sorry) .*|i am sorry.*|(?:it )?(?:cannot|can not|could not) be (?:determined|answered|found).*"
    r"|cannot (?:determine|answer|tell).*|insufficient (?:evidence|information|data).*|unable to .*",
    re.DOTALL,
)


def answers(said: str, question: Question) -> bool:
    """Whether `said` is the question's answer, or an alias of it."""
    return match(said, question.answer, aliases=question.aliases) is Verdict.CORRECT


def match(prediction: str, gold: str, *, aliases: Sequence[str] = ()) -> Verdict:
    """Compare an answer with the gold one and its aliases.

    CORRECT needs the whole prediction to be one spelling of the gold answer (see `medrl.normal`): a list that contains
    it, or a copy of the question, is INCORRECT. Tolerated around it: "The answer is …", a trailing full stop, markdown,
    "gene", and a parenthesis that holds an alias, an identifier or the initials. Names, identifiers (NCT, PMID, HP,
    OMIM …), quantities with units and dates have rules of their own. Nothing, or an abstention, is UNKNOWN.

    Raises ValueError if `gold` is empty.
    """
    if not normalise(gold):
        raise ValueError(f"gold answer {gold!r} is empty: drop the question")
    golds = [gold, *(alias for alias in aliases if normalise(alias))]
    forms = list(_forms(prediction))
    if any(_is_answer(form, golds) for form in forms):
        return Verdict.CORRECT
    return Verdict.UNKNOWN if any(map(_says_nothing, forms)) else Verdict.INCORRECT


def abstains(answer: str) -> bool:
    """Whether it is no answer: nothing, or "unknown" in one of its forms."""
    return any(map(_says_nothing, _forms(answer)))


def same_answer(one: str, other: str) -> bool:
    """Whether two answers, neither of which abstains, are the same, whichever of them is taken for the gold one."""
    return Verdict.CORRECT in (match(one, other), match(other, one))


def _says_nothing(form: str) -> bool:
    return not normalise(form) or _ABSTENTION.fullmatch(_plain(form)) is not None


def _forms(prediction: str) -> Iterator[str]:
    """The prediction as written, and without its lead-in ("The answer is …")."""
    text = prediction.strip()
    yield text
    boxed = _BOXED.fullmatch(text)
    if boxed:
        yield boxed["rest"]
    for _ in range(2):  # "Answer: the gene is FBN1"
        led = _LEAD.fullmatch(text.strip("*_ "))
        if led is None or not set(led["lead"].casefold().split()) <= _LEAD_WORDS:
            return
        text = re.sub(r"^(?:most likely|probably|likely)\s+", "", led["rest"].strip(), flags=re.I)
        yield text


def _plain(text: str) -> str:
    return text.casefold().replace("’", "'").strip(" .!?*_\"'\n\t")


def _is_answer(text: str, golds: Sequence[str]) -> bool:
    if any(_same(text, gold) for gold in golds):
        return True
    parts = _SAME_AS.split(text)
    if len(parts) > 1:
        return all(any(_same(part, gold) for gold in golds) for part in parts)
    found = _PARENTHESIS.fullmatch(text)
    if found is None or not any(_same(found["outside"], gold) for gold in golds):
        return False
    ids, rest = identifiers(found["inside"])
    initials = "".join(word[0] for word in normalise(found["outside"]).split())
    return (
        (len(ids) == 1 and not rest)
        or normalise(found["inside"]).replace(" ", "") == initials
        or any(_same(found["inside"], gold) for gold in golds)
    )


def _same(text: str, gold: str) -> bool:
    return any(rule(text, gold) for rule in (_same_name, _same_identifier, _same_quantity, _same_date))


def _same_name(text: str, gold: str) -> bool:
    if quantity(text) is not None and quantity(gold) is not None:
        return False  # signs and decimals are quantity's to judge
    ours, theirs = normalise(text), normalise(gold)
    return bool(ours) and (compact(ours) == compact(theirs) or _core(ours) == _core(theirs))


def _core(normal: str) -> str:
    """Without the word that says what kind of thing it is: "fbn1 gene", "gene fbn1" -> "fbn1"."""
    words = normal.split()
    if len(words) > 1 and words[-1] in _SUFFIXES:
        words = words[:-1]
    if len(words) > 1 and words[0] == "gene":
        words = words[1:]
    return compact(" ".join(words))


def _same_identifier(text: str, gold: str) -> bool:
    gold_ids, gold_rest = identifiers(gold)
    if len(gold_ids) != 1 or gold_rest:
        return False
    bare = text.strip(" .#")
    if bare.isdigit():
        scheme, _, number = next(iter(gold_ids)).partition(":")
        return bare == number and scheme != "NCBIGENE"
    ids, rest = identifiers(text)
    return ids == gold_ids and _OTHER_THINGS.search(rest) is None


def _same_quantity(text: str, gold: str) -> bool:
    ours, theirs = quantity(text), quantity(gold)
    return ours is not None and theirs is not None and ours.agrees(theirs)


def _same_date(text: str, gold: str) -> bool:
    """A date may be more precise than the gold one, never less."""
    ours, theirs = date(text), date(gold)
    return ours is not None and theirs is not None and ours[: len(theirs)] == theirs


_MARKS = r"[\"'*_`\s]*"
_FIELD = re.compile(
    rf"\b(?P<negation>in|not )?correct{_MARKS}[:=]{_MARKS}(?P<answer>yes|true|no|false|unknown|unsure|unclear|n/a)\b"
    rf"(?!\s*(?:/|\||or\b))|\b(?:verdict|judge?ment|grade|decision){_MARKS}[:=]{_MARKS}"
    r"(?P<word>correct|incorrect|not correct|wrong|unknown)\b(?!\s*(?:/|\||or\b))",
    re.I,
)
_WORDS = {
    **dict.fromkeys(("correct", "yes", "true"), Verdict.CORRECT),
    **dict.fromkeys(("incorrect", "not correct", "wrong", "no", "false"), Verdict.INCORRECT),
}
_OPPOSITE = {Verdict.CORRECT: Verdict.INCORRECT, Verdict.INCORRECT: Verdict.CORRECT, Verdict.UNKNOWN: Verdict.UNKNOWN}


def speaks_as_judge(text: str) -> bool:
    """Whether an answer has a field such as `correct: yes`, which a judge that quotes it would seem to say itself."""
    return _FIELD.search(text) is not None


def parse_judgement(text: str) -> Verdict:
    """Read a judge's reply: its last `correct: yes|no` or `verdict: correct|incorrect`, plain, markdown or JSON.

    Only such a field counts, or a reply of one word: "A different company" is no grade A. A template that the judge
    repeats ("yes or no") does not count. Nothing readable is UNKNOWN, which is not INCORRECT: ask again.
    """
    whole = _WORDS.get(_plain(text))
    fields = list(_FIELD.finditer(text))
    if whole is not None or not fields:
        return whole or Verdict.UNKNOWN
    last = fields[-1]
    verdict = _WORDS.get((last["word"] or last["answer"]).casefold(), Verdict.UNKNOWN)
    return _OPPOSITE[verdict] if last["negation"] else verdict
