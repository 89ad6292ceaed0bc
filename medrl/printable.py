"""Text of documents, models and other programs, made fit for a terminal or a line of a file."""

import unicodedata


def printable(text: str) -> str:
    """Without control and format characters, with which a document could write over the terminal; lines stay."""
    return "".join(char for char in text if char == "\n" or unicodedata.category(char)[0] != "C")
