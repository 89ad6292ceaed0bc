"""One seed -> one candidate question: grow its subgraph, take the longest valid chain, put it into words."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, partial

from kisa.differential import clue_findings, shows_no_clue, with_clues
from kisa.expansion import Discover, grow
from kisa.graph import KnowledgeGraph
from kisa.paths import longest_valid_path
from kisa.proofs import flaw
from kisa.questions import Chain, chain_of, lay_names, question_of
from kisa.validity import Validity
from medrl.sections import KisaConfig
from medrl.seeds import derive_seed
from medrl.types import Entity, Question, Split

#: Share of disease seeds that ask from findings together, as long as such questions are wanted.
_DIFFERENTIAL_SEEDS = 0.6
#: How often an answer of each kind is preferred: gene symbols are short and say nothing of themselves.
_ANSWER_SHARES = {"gene": 0.6, "disease": 0.25, "phenotype": 0.15}


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

    def start_split(self, entity: Entity) -> Split | None:
        """The side a seed belongs to; None if no chain can begin there."""
        if not self.validity.admits(entity):
            return None
        if entity.kind != "phenotype":
            return self.validity.splits.get(entity.id)
        sides = {self.validity.splits.get(each) for each in self.graph.carriers.get(entity.id, frozenset())}
        return sides.pop() if len(sides) == 1 else None

    def may_be_lay(self, entity: Entity) -> bool:
        """Whether a chain that begins at this seed can begin with everyday words: few can, so they are tried first."""
        return len(self.graph.carriers.get(entity.id, ())) == 1 and bool(lay_names(self.graph, entity))

    async def make(self, entity: Entity, attempt: int, wanted: Wanted) -> Question | None:
        """A proved question from `entity`, or None if none of the wanted kind is found. Raises ToolOutage."""
        rng = random.Random(derive_seed(self.seed, "seed", entity.id, attempt))
        differential = wanted.differential and entity.kind == "disease" and rng.random() < _DIFFERENTIAL_SEEDS
        clues = clue_findings(self.graph, entity, rng) if differential else ()
        chain = await self._chain(entity, rng, {hops - bool(clues) for hops in wanted.hops}, bool(clues))
        if chain is None:
            return None
        if clues:
            chain = with_clues(chain, clues)
            if not shows_no_clue(self.validity, chain):
                return None
        anchor = chain.relations[0].subject
        everyday = lay_names(self.graph, anchor) if wanted.lay and not clues else []
        if everyday:
            chain = Chain(chain.relations, chain.steps, lay=rng.choice(everyday))
        question = question_of(
            self.graph,
            chain,
            rng,
            seed=self.seed,
            split=self._split(chain),
            specialty=self._specialty(chain),
        )
        return None if flaw(self.graph, question) else question

    async def _chain(
        self, entity: Entity, rng: random.Random, hops: Collection[int], starts_here: bool
    ) -> Chain | None:
        """The longest valid chain through `entity` in the subgraph grown from it, if its length is wanted.

        The longest that the seed can give is sought first: long chains are the scarce ones. Growth ends once it is
        found. Among the longest, one that ends in a drawn kind of answer is preferred. `starts_here`: the chain begins
        at `entity`.
        """
        validity = self.validity.with_hops(min(hops), max(hops))
        reach = validity.reach(entity, validity.max_hops)
        ceiling = max((each for each in hops if each <= reach), default=0)
        if not ceiling:
            return None
        validity = validity.with_hops(min(hops), ceiling)
        preferred = rng.choices(list(_ANSWER_SHARES), list(_ANSWER_SHARES.values()))[0]
        may_extend = cache(validity.may_extend)  # walks overlap, and the same paths are looked at again
        best: tuple[Entity, ...] = ()
        growing = grow(
            entity, validity, self.discover, rng, walks=self.config.walks, uniform=self.config.uniform_probability
        )
        async for reached in growing:
            subgraph = self.graph.induced(reached)
            for kinds in ((preferred,), tuple(_ANSWER_SHARES)):
                is_valid = partial(_is_chain, validity, entity, kinds)
                found = longest_valid_path(
                    subgraph,
                    is_valid,
                    budget=self.config.path_budget,
                    may_extend=may_extend,
                    starts=[entity] if starts_here else None,
                    max_length=ceiling,
                )
                best = max(best, found.path, key=len)
            if len(best) - 1 == ceiling:
                break
        return chain_of(self.graph, best, rng, self.validity.steps) if len(best) - 1 in hops else None

    def _first(self, chain: Chain, *kinds: str) -> Entity:
        entities = (chain.relations[0].subject, *(relation.object for relation in chain.relations))
        return next(entity for entity in entities if entity.kind in kinds)

    def _split(self, chain: Chain) -> Split:
        return self.validity.splits[self._first(chain, "disease", "gene").id]

    def _specialty(self, chain: Chain) -> str:
        return self.graph.facts[self._first(chain, "disease").id].specialty


def _is_chain(validity: Validity, seed: Entity, kinds: Collection[str], path: tuple[Entity, ...]) -> bool:
    """Whether a path, whose every prefix may be extended, is a chain through `seed` to an answer of `kinds`."""
    return seed in path and path[-1].kind in kinds and validity.completes(path)
