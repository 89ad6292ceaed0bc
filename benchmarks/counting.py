"""How counting grows with the corpus: `python benchmarks/counting.py [--abstracts ori_pqal.json] [--workers 2]`.

`medrl count` as a process of its own, on MEDLINE files (.xml.gz, eight of a size) of 8 to 100,000 citations with
abstracts of about 200 words: PubMedQA's real ones if its file is given, else drawn from the built documents; authors
and headings make a citation as long as PubMed's are. Of each size the quickest of `--repeats` runs counts. Printed:
wall time, CPU time and peak memory (PSS) of all processes, documents/s, and two fits, of wall and of CPU time,

    seconds = start-up + c · documents^exponent        (least squares of relative errors)

The one of CPU time holds on a machine that has other work too. Then what the wall time comes to for 30M abstracts; that
is extrapolated, not measured: workers share nothing but the file system and the driver, which adds up the counts of a
file in some milliseconds.
"""

import argparse
import gzip
import itertools
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self
from xml.sax.saxutils import escape

import numpy as np
import psutil

from envs.corpus import Document
from kisa.knowledge import build_knowledge
from launch.aside import aside
from launch.memory import MemoryMeter
from medrl.records import read_jsonl
from medrl.sections.knowledge import KnowledgeConfig

FILES = 8
#: The first is the start-up and next to nothing else.
SIZES = (FILES, 1_000, 3_000, 10_000, 30_000, 100_000)
WORDS = 200
#: 30M citations as the yearly baseline cuts them.
BASELINE_FILES, BASELINE_CITATIONS = 1_000, 30_000

_AUTHOR = """<Author><LastName>Name{0}</LastName><Initials>A</Initials><AffiliationInfo>
<Affiliation>{1}</Affiliation></AffiliationInfo></Author>"""
_CITATION = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><Article>
<Journal><ISSN>0000-0000</ISSN><JournalIssue><PubDate><Year>2020</Year><Month>Jun</Month></PubDate></JournalIssue>
<Title>Journal</Title></Journal><ArticleTitle>{title}</ArticleTitle>
<Abstract><AbstractText Label="ALL">{abstract}</AbstractText></Abstract><AuthorList>{authors}</AuthorList>
<PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList></Article>
<MeshHeadingList>{headings}</MeshHeadingList></MedlineCitation><PubmedData><ArticleIdList>
<ArticleId IdType="pubmed">{pmid}</ArticleId></ArticleIdList></PubmedData></PubmedArticle>
"""


def abstracts(path: Path | None) -> Iterator[tuple[str, str]]:
    """Titles and abstracts without end: those of the file, each time with another number, or drawn."""
    if path is not None:
        held = json.loads(path.read_text(encoding="utf-8")).values()
        pairs = [(each["QUESTION"], " ".join(each["CONTEXTS"])) for each in held]
        for number, (title, abstract) in enumerate(itertools.cycle(pairs)):
            yield f"{title} ({number})", abstract
    folder = aside(build_knowledge, KnowledgeConfig())
    texts = [document.text for document in itertools.islice(read_jsonl(folder / "corpus.jsonl", Document), 5_000)]
    rng = random.Random(0)
    while True:
        words: list[str] = []
        while len(words) < WORDS:
            words += rng.choice(texts).split()
        yield " ".join(words[:12]), " ".join(words[12:WORDS])


def write_corpus(folder: Path, documents: int, texts: Iterator[tuple[str, str]]) -> list[Path]:
    """MEDLINE files of `documents` citations together."""
    authors = "".join(
        _AUTHOR.format(number, "Department of Medicine, University Hospital, " * 2) for number in range(6)
    )
    headings = "".join(
        f"<MeshHeading><DescriptorName UI='D{n}'>Heading {n}</DescriptorName></MeshHeading>" for n in range(12)
    )
    paths = []
    for number in range(FILES):
        path = folder / f"{documents}-{number}.xml.gz"
        with gzip.open(path, "wt", compresslevel=6, encoding="utf-8") as file:
            file.write("<PubmedArticleSet>\n")
            for pmid in range(number, documents, FILES):
                title, abstract = map(escape, next(texts))
                file.write(
                    _CITATION.format(pmid=pmid, title=title, abstract=abstract, authors=authors, headings=headings)
                )
            file.write("</PubmedArticleSet>\n")
        paths.append(path)
    return paths


class Cost(NamedTuple):
    """Of the whole command and all it starts: wall and CPU time in seconds, peak memory in GB."""

    wall_s: float
    cpu_s: float
    peak_gb: float


class CpuMeter:
    """CPU seconds of all processes below this one, ended ones included but for their last `every_s`."""

    def __init__(self, every_s: float = 0.25) -> None:
        self._seconds: dict[tuple[int, float], float] = {}
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        """So far."""
        return sum(self._seconds.values())

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    self._seconds[process.pid, process.create_time()] = sum(process.cpu_times()[:2])


def measure(files: list[Path], workers: int, to: Path) -> Cost:
    """Run the command once."""
    script = [sys.executable, "-c", "import sys; from launch.cli import main; sys.exit(main())"]
    command = [*script, "count", *map(str, files), "--workers", str(workers), "--to", str(to)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with MemoryMeter(every_s=0.5) as meter, CpuMeter() as cpu:
        own = meter.sample()
        begun = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
    if done.returncode:
        sys.exit(f"medrl count ended with {done.returncode}: {done.stderr[-2000:]}")
    return Cost(seconds, cpu.seconds, meter.peak_gb - own)


def fit(documents: list[int], seconds: list[float]) -> tuple[float, float, float, float]:
    """Start-up, c, exponent, and the largest relative error: where that is large the machine had other work, and the
    fit says nothing. The exponent is searched for in steps of 0.001, the others follow from it."""
    n, t = np.array(documents, dtype=float), np.array(seconds)
    best = (math.inf, 0.0, 0.0, 0.0, 0.0)
    for exponent in np.arange(0.5, 1.5, 0.001):
        design = np.stack([np.ones_like(n), n**exponent], axis=1) / t[:, None]
        (start, slope), *_ = np.linalg.lstsq(design, np.ones_like(t), rcond=None)
        errors = design @ np.array([start, slope]) - 1
        best = min(best, (float(errors @ errors), float(start), float(slope), exponent, float(np.abs(errors).max())))
    return best[1:]


def main() -> None:
    """All sizes, the fit, and what it comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--abstracts", type=Path, help="PubMedQA's ori_pqal.json")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    texts = abstracts(options.abstracts)
    print("documents     MB   wall s    CPU s  documents/s  peak GB")
    walls, cpus = [], []
    with tempfile.TemporaryDirectory() as name:
        for documents in SIZES:
            files = write_corpus(Path(name), documents, texts)
            size = sum(path.stat().st_size for path in files) / 1e6
            runs = [measure(files, options.workers, Path(name) / "to.json") for _ in range(options.repeats)]
            walls.append(min(run.wall_s for run in runs))
            cpus.append(min(run.cpu_s for run in runs))
            peak = max(run.peak_gb for run in runs)
            shown = f"{documents:9,} {size:6.1f} {walls[-1]:8.1f} {cpus[-1]:8.1f}"
            print(f"{shown} {documents / walls[-1]:12,.0f} {peak:8.2f}", flush=True)
            for path in files:
                path.unlink()
    for label, seconds in (("CPU", cpus), ("wall", walls)):
        start, slope, exponent, worst = fit([*SIZES], seconds)
        print(f"{label:4} seconds = {start:.1f} + {slope:.3g} · documents^{exponent:.3f}  (within {worst:.0%})")
    rate = SIZES[-1] / (walls[-1] - start) / options.workers
    print(f"{rate:,.0f} documents/s a core at {SIZES[-1]:,} documents, start-up left out")
    print(f"extrapolated to {BASELINE_FILES:,} files of {BASELINE_CITATIONS:,} citations:")
    for cores in (2, 64, 512):
        rounds = math.ceil(BASELINE_FILES / cores)  # of the busiest core
        minutes = (start + rounds * BASELINE_CITATIONS / rate) / 60
        print(f"{cores:5} cores  {minutes:8.1f} min  {BASELINE_FILES / cores / rounds:4.0%} of them busy on average")


if __name__ == "__main__":
    main()
