"""How well the benchmark scorer's rules agree with people's labels, by kind of answer.

    python benchmarks/scorer.py [PAIRS] [--wrong]

PAIRS is a JSON-lines file of pairs with question, gold, aliases, prediction, label (correct, incorrect or unknown),
kind and why; tests/envs/benchmarks/answer_pairs.jsonl if none is given. No judge is asked: what the rules leave open
counts as incorrect. --wrong prints the pairs that are scored otherwise than labelled.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from envs.benchmarks.scorer import UNMATCHED, score
from medrl.evaluation import wilson
from medrl.matching import Verdict
from medrl.records import read_jsonl
from tests.envs.benchmarks.pairs import PAIRS, Pair, confusion


def table(counts: Mapping[tuple[str, str], int]) -> str:
    """One line: labelled as → scored as, and the number."""
    cells = [f"{label[:3]}→{given[:3]} {counts[label, given]}" for label in Verdict for given in Verdict]
    return ", ".join(cell for cell in cells if not cell.endswith(" 0"))


def main() -> None:
    """Print the confusion matrix in total and by kind, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, nargs="?", default=PAIRS)
    parser.add_argument("--wrong", action="store_true")
    arguments = parser.parse_args()
    pairs = list(read_jsonl(arguments.pairs, Pair))
    total, by_kind = confusion(pairs)
    print("| labelled | " + " | ".join(f"scored {given}" for given in Verdict) + " |\n|---|" + "---:|" * len(Verdict))
    for label in Verdict:
        print(f"| {label} | " + " | ".join(str(total[label, given]) for given in Verdict) + " |")
    print("\n| kind | pairs | agree | which |\n|---|---:|---:|---|")
    for kind, counts in sorted(by_kind.items()):
        agree = sum(count for (label, given), count in counts.items() if label == given)
        print(f"| {kind} | {counts.total()} | {agree} | {table(counts)} |")
    agree = sum(count for (label, given), count in total.items() if label == given)
    low, high = wilson(agree, len(pairs))
    print(f"\n{agree} of {len(pairs)} agree: {agree / len(pairs):.1%} (95% interval {low:.1%} to {high:.1%})")
    rules = Counter(score(pair.item, pair.prediction).rule for pair in pairs)
    print(f"left to a judge: {rules[UNMATCHED]}; decided by: {dict(rules.most_common())}")
    if arguments.wrong:
        for pair in pairs:
            given = score(pair.item, pair.prediction)
            if given.verdict != pair.label:
                print(
                    f"[{pair.kind}] {pair.label} scored {given.verdict} ({given.rule}): {pair.question[:60]!r} "
                    f"gold {pair.gold!r} {pair.aliases} said {pair.prediction!r}: {pair.why}"
                )


if __name__ == "__main__":
    main()
