"""`medrl count`: in how many documents of a corpus each entity of an ontology is named."""

import errno
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.session import connected
from kisa.counted_files import CorpusFile, CountedFile, counting_key, find_files
from kisa.counting import Counts
from kisa.entities import countable, frequency_of
from kisa.extraction import graph_names
from kisa.knowledge import load_graph, write_frequencies
from kisa.mentions import Name
from launch.aside import aside
from launch.corpus_counting import count_files, default_workers
from medrl.errors import DataError
from medrl.journal import Journal
from medrl.progress import Progress
from medrl.sections.kisa import KisaConfig
from medrl.sections.knowledge import KnowledgeConfig

_NOT_WRITTEN = {errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def count(files: Sequence[Path], ontology: str, to: Path, workers: int | None) -> None:
    """Count, write `to` and print what came of it. Interrupted, it goes on after the files that were finished.

    `workers`: CPUs to take; None: all there are. Raises DataError, ConfigError, InfrastructureError.
    """
    if to.is_dir():
        raise DataError(f"{to}: a folder; give --to the name of a file")
    found = find_files(files)
    names, entities = aside(_vocabulary, ontology)
    try:
        journal = Journal(to.with_name(f"{to.name}.counted"), counting_key(names), CountedFile)
        try:
            total, notes = _count(found, names, workers, journal)
            if not total.documents:
                raise DataError("; ".join(["there is no document in these files", *notes]))
            frequency = frequency_of(entities, total)
            write_frequencies(to, frequency)
        except BaseException:
            journal.close(done=False)
            raise
        journal.close(done=True)
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        raise DataError(
            f"{to}: {error.strerror}; mend that and give the same command again, or another --to"
        ) from error
    print(f"{total.documents:,} documents in {len(found):,} files, {total.characters:,} characters")
    print(f"{sum(total.mentions.values()):,} mentions, of {len(total.mentions):,} of {len(entities):,} entities")
    print(f"records left out: {_listed(total.skipped)}", *notes, sep="\n  ")
    print(frequency.describe(KisaConfig().rare_percentile))
    print(to)


def _vocabulary(ontology: str) -> tuple[list[Name], list[str]]:
    """The names to look for and the ids of all entities."""
    graph = load_graph(KnowledgeConfig(ontology=ontology))
    return list(graph_names(graph)), countable(graph)


def _count(
    files: Sequence[CorpusFile], names: Sequence[Name], workers: int | None, journal: Journal[CountedFile]
) -> tuple[Counts, list[str]]:
    """The sum over all files and what is to be said of them, by file. What the journal holds is not counted again."""
    waiting = dict.fromkeys(files)
    total, notes = Counts(), dict[str, tuple[str, ...]]()
    for done in journal.records():
        if done.file in waiting:
            del waiting[done.file]
            total += done.counts
            notes[done.file.path] = done.notes
    if not waiting:
        return total, _by_file(notes)
    before, size = total.documents, sum(file.size + 1 for file in files)
    left = sum(file.size + 1 for file in waiting)
    with connected(workers), Progress("count", 0, "document", done=before) as progress:
        if before:
            progress.expect(1 - left / size)
        begun = time.monotonic()
        for done in count_files([*waiting], names, workers or default_workers()):
            journal.append(done)
            total += done.counts
            notes[done.file.path] = done.notes
            left -= done.file.size + 1
            progress.advance(done.counts.documents)
            progress.expect(1 - left / size)
        seconds = time.monotonic() - begun
    print(f"{(total.documents - before) / seconds:,.0f} documents/s, {seconds:.1f} s with the start of the workers")
    return total, _by_file(notes)


def _by_file(notes: dict[str, tuple[str, ...]]) -> list[str]:
    return [note for path in sorted(notes) for note in notes[path]]


def _listed(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} records with {reason}" for reason, count in sorted(skipped.items())) or "nothing"
