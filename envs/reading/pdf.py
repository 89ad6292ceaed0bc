"""PDF files, by PDFium: text alone; no script in them runs, no form is opened."""

import re
from collections.abc import Iterator

import pypdfium2
from pypdfium2 import PdfDocument, PdfiumError

from envs.reading.pieces import Piece, Pieces

_PARAGRAPH = re.compile(r"\n\s*\n|(?<=[.:])\n(?=[A-Z•])")


def read_pdf(body: bytes, most_sheets: int) -> Pieces:
    """Of the first `most_sheets` sheets. Raises ValueError if it cannot be opened, or only with a password."""
    try:
        file = PdfDocument(body)
        title = file.get_metadata_value("Title")
        texts = [text for number in range(min(len(file), most_sheets)) if (text := _text(file, number)).strip()]
    except PdfiumError as error:
        raise ValueError(f"a PDF that cannot be opened: {error}") from None
    first = texts[0].strip().partition("\n")[0] if texts else ""
    return Pieces(title.strip() or first, _paragraphs(texts))


def _text(file: PdfDocument, number: int) -> str:
    """Of one sheet; "" for one that is broken."""
    try:
        return str(file[number].get_textpage().get_text_bounded())
    except pypdfium2.PdfiumError:
        return ""


def _paragraphs(texts: list[str]) -> Iterator[Piece]:
    for text in texts:
        whole = re.sub(r"(?<=\w)[-\u00ad\ufffe]\n(?=[a-z])", "", text.replace("\r", ""))
        for paragraph in _PARAGRAPH.split(whole):
            yield Piece("", paragraph)
