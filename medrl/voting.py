"""Do several samples of one question agree? Their answers in clusters, the largest taken for the answer.

Self-consistency (Wang et al. 2023, arXiv:2203.11171): the answer that most samples come to is right more often than the
answer of one of them. Their share says how sure the agent is of itself; it is no calibrated probability.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medrl.evaluation import wilson
from medrl.matching import abstains, same_answer


@dataclass(frozen=True, slots=True)
class Cluster:
    """Samples whose answers are all the same as one another. `answer`: the spelling that most of them use, the earliest
    sample's among equals; `members`: places of the samples, in order."""

    answer: str
    members: tuple[int, ...]

    @property
    def votes(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `samples` samples, `clusters` gave answers, the largest first, among equals the one with the earliest sample;
    the others gave none, or abstained."""

    samples: int
    clusters: tuple[Cluster, ...]

    @property
    def leader(self) -> Cluster | None:
        """What is taken for the answer; None where no sample gave one."""
        return self.clusters[0] if self.clusters else None

    @property
    def votes(self) -> int:
        """For the leader."""
        return self.clusters[0].votes if self.clusters else 0

    @property
    def silent(self) -> int:
        """Samples without an answer."""
        return self.samples - sum(cluster.votes for cluster in self.clusters)

    @property
    def share(self) -> float:
        """Of all samples, those for the leader. Raises ZeroDivisionError if there are no samples."""
        return self.votes / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the share, as of independent samples. Raises ValueError if there are none."""
        return wilson(self.votes, self.samples)

    @property
    def is_sure(self) -> bool:
        """Whether more than half of all samples gave one answer."""
        return 2 * self.votes > self.samples


def agree(answers: Sequence[str | None]) -> Agreement:
    """Cluster the answers of the samples of one question; None is a sample that gave none.

    An answer joins the first cluster that it is the same as in all its members (`medrl.matching.same_answer`): "2012"
    is both 3 May 2012 and 1 July 2012, which are not each other.
    """
    clusters: list[list[int]] = []
    said = [answer or "" for answer in answers]
    for place, answer in enumerate(said):
        if abstains(answer):
            continue
        home = next((each for each in clusters if all(same_answer(answer, said[other]) for other in each)), None)
        if home is None:
            clusters.append([place])
        else:
            home.append(place)
    clusters.sort(key=len, reverse=True)  # stable: among equals the earliest stays first
    return Agreement(len(said), tuple(Cluster(_spelling([said[n] for n in each]), tuple(each)) for each in clusters))


def _spelling(answers: Sequence[str]) -> str:
    return Counter(answers).most_common(1)[0][0]  # the first of equals, as a Counter keeps the order
