"""PubMed and MEDLINE: citations as the E-utilities and the yearly baseline give them, `.xml` or `.xml.gz`.

Files are read as streams, one citation in memory at a time: a baseline file holds 30,000.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from envs.sources.citations import SAFELY, Citation, element_text, read_citation
from kisa.sources.skipped import Skipped
from kisa.sources.text_lines import open_binary
from medrl.errors import DataError


def read_pubmed(path: Path, skipped: Skipped) -> Iterator[Citation]:
    """Yield the file's citations. One without a PMID or a title goes to `skipped`.

    Raises DataError if the file is no PubMed XML or is cut off. Entities and outside definitions are never resolved.
    """
    read, latest = 0, ""
    with open_binary(path) as stream:
        try:
            events = etree.iterparse(stream, events=("start", "end"), **SAFELY)
            _, root = next(events)
            if root.tag not in ("PubmedArticleSet", "PubmedArticle", "MedlineCitationSet"):
                raise DataError(f"{path}: its root is <{root.tag}>, not <PubmedArticleSet>")
            for event, element in events:
                if event == "start" or element.tag != "MedlineCitation":
                    continue
                read += 1
                latest = element_text(element.find("PMID"))
                citation = read_citation(element)
                if not latest:
                    skipped.add("no PMID", f"citation {read}")
                elif citation is None:
                    skipped.add("no title", f"PMID {latest}")
                else:
                    yield citation
                _forget(element)
        except etree.XMLSyntaxError as error:
            after = f"after citation {read} (PMID {latest})" if read else "before the first citation"
            raise DataError(f"{path}: cut off or broken {after} ({error.msg}); fetch it again") from error
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(f"{path}: cut off after citation {read} ({error}); fetch it again") from error


def _forget(element: etree._Element) -> None:
    """Free a citation that was read, and those before it: lxml keeps what its tree still holds."""
    element.clear()
    above = element if element.getparent() is None else element.getparent()
    while above.getprevious() is not None:
        del above.getparent()[0]
