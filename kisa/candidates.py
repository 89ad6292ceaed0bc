"""One seed -> one candidate question: grow its subgraph, take the longest valid chain, put it into words."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from kisa.differential import clue_findings, shows_no_clue, with_clues
from kisa.expansion import Discover, grow
from kisa.graph import KnowledgeGraph
from kisa.paths import PathResult, longest_valid_path
from kisa.proofs import flaw
from kisa.questions import Chain, chains_along, lay_names, question_of
from kisa.validity import Validity
from medrl.sections.kisa import KisaConfig
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Relation, Split

#: Share of disease seeds that ask from findings together, as long as such questions are wanted.
_DIFFERENTIAL_SEEDS = 0.6
#: How often an answer of each kind is preferred: gene symbols are short and say nothing of themselves.
_ANSWER_SHARES = {"gene": 0.6, "disease": 0.25, "phenotype": 0.15}
Path = tuple[Entity, ...]
Draft = Callable[[Path], Question | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a selection still lacks: chains of which lengths, and whether any of the two special forms."""

    hops: frozenset[int]
    differential: bool
    lay: bool


@dataclass(frozen=True)
class Candidates:
    """Makes candidates. All randomness comes from `seed`, the entity and the attempt."""

    graph: KnowledgeGraph
    validity: Validity
    discover: Discover
    config: KisaConfig
    seed: int

    async def make(self, entity: Entity, attempt: int, wanted: Wanted) -> Question | None:
        """A proved question from `entity`, or None if none of the wanted kind is found. Raises ToolOutage."""
        rng = random.Random(derive_seed(self.seed, "seed", entity.id, attempt))
        differential = wanted.differential and entity.kind == "disease" and rng.random() < _DIFFERENTIAL_SEEDS
        clues = clue_findings(self.graph, entity, rng) if differential else ()
        hops = {each - bool(clues) for each in wanted.hops}
        drafted = cache(lambda path: self._draft(path, attempt, clues, wanted.lay))
        found = await self._longest(entity, rng, hops, drafted, starts_here=bool(clues))
        question = drafted(found.path) if found.length in hops else None
        return None if question is None else replace(question, optimal=found.optimal)

    def _draft(self, path: Path, attempt: int, clues: Sequence[Relation], lay: bool) -> Question | None:
        """The question along a path, behind `clues` if there are any; None if no choice of its steps can be proved."""
        rng = random.Random(derive_seed(self.seed, "draft", attempt, *(each.id for each in path)))
        for chain in chains_along(self.graph, path, rng, self.validity.steps):
            if clues:
                chain = with_clues(chain, clues)
                if not shows_no_clue(self.validity, chain):
                    return None
            everyday = lay_names(self.graph, path[0]) if lay and not clues else []
            if everyday:
                chain = replace(chain, lay=rng.choice(everyday))
            split, specialty = self._split(chain), self._specialty(chain)
            question = question_of(self.graph, chain, rng, seed=self.seed, split=split, specialty=specialty)
            if flaw(self.graph, question) is None:
                return question
        return None

    async def _longest(
        self, entity: Entity, rng: random.Random, hops: Collection[int], drafted: Draft, *, starts_here: bool
    ) -> PathResult[Entity]:
        """The longest chain through `entity`, of a wanted length, in the subgraph grown from it that can be proved.

        The longest that the seed can give is sought first: long chains are the scarce ones. Growth ends once it is
        found. Among the longest, one that ends in a drawn kind of answer is preferred. `starts_here`: the chain begins
        at `entity`.
        """
        validity = self.validity.with_hops(min(hops), max(hops))
        reach = validity.reach(entity, validity.max_hops)
        ceiling = max((each for each in hops if each <= reach), default=0)
        best: PathResult[Entity] = PathResult((), 0, 0)
        if not ceiling:
            return best
        validity = validity.with_hops(min(hops), ceiling)
        preferred = rng.choices(list(_ANSWER_SHARES), list(_ANSWER_SHARES.values()))[0]
        may_extend = cache(validity.may_extend)  # walks overlap, and the same paths are looked at again
        growing = grow(
            entity, validity, self.discover, rng, walks=self.config.walks, uniform=self.config.uniform_probability
        )
        known = 0
        async for reached in growing:
            if len(reached) == known:
                continue
            known = len(reached)
            subgraph = self.graph.induced(reached)
            for kinds in ((preferred,), tuple(_ANSWER_SHARES)):
                found = longest_valid_path(
                    subgraph,
                    partial(_is_chain, validity, entity, hops, kinds, drafted),
                    budget=self.config.path_budget,
                    may_extend=may_extend,
                    starts=[entity] if starts_here else None,
                    max_length=ceiling,
                )
                best = found if found.length > best.length else replace(best, bound=max(best.length, found.bound))
            if best.length == ceiling:
                break
        return best

    def _first(self, chain: Chain, *kinds: str) -> Entity:
        entities = (chain.relations[0].subject, *(relation.object for relation in chain.relations))
        return next(entity for entity in entities if entity.kind in kinds)

    def _split(self, chain: Chain) -> Split:
        return self.validity.splits[self._first(chain, "disease", "gene").id]

    def _specialty(self, chain: Chain) -> str:
        return self.graph.facts[self._first(chain, "disease").id].specialty


def may_be_lay(graph: KnowledgeGraph, entity: Entity) -> bool:
    """Whether a chain that begins at this seed can begin with everyday words: few can, so they are tried first."""
    return len(graph.carriers.get(entity.id, ())) == 1 and bool(lay_names(graph, entity))


def _is_chain(
    validity: Validity, seed: Entity, hops: Collection[int], kinds: Collection[str], drafted: Draft, path: Path
) -> bool:
    """Whether a path whose prefixes may be extended makes a proved question on `seed`, of a wanted length and with an
    answer of `kinds`."""
    fits = len(path) - 1 in hops and seed in path and path[-1].kind in kinds
    return fits and validity.completes(path) and drafted(path) is not None
