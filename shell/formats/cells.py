"""Text in the cells of a terminal: how wide it is, and cutting it into lines.

Promises: control characters never reach the terminal from a value: they show as `\\x1b`, `\\t` and so on. The table of
character widths is loaded only when a text is not ASCII.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_NAMED = {"\t": "\\t", "\r": "\\r"}


def display_width(text: str) -> int:
    """How many columns of a terminal `text` (one line without control characters) takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def pad(text: str, width: int, right: bool = False) -> str:
    """`text` filled with blanks to `width` columns, at its left if `right`."""
    blanks = " " * (width - display_width(text))
    return blanks + text if right else text + blanks


def show_controls(text: str) -> str:
    """`text` with its control characters, other than line breaks, made visible."""
    return _CONTROL.sub(lambda match: _NAMED.get(match[0], f"\\x{ord(match[0]):02x}"), text)


def break_lines(text: str, width: int | None) -> list[tuple[str, str]]:
    """The lines of a cell, each with its mark: `+` where the value has a line break, `.` where it was cut to fit.

    width: columns a line may take; None for no limit. The last line's mark is a blank.
    """
    lines: list[tuple[str, str]] = []
    for paragraph in show_controls(text).split("\n"):
        pieces = [paragraph] if width is None else _cut(paragraph, width)
        lines += [(piece, ".") for piece in pieces[:-1]]
        lines.append((pieces[-1], "+"))
    lines[-1] = (lines[-1][0], " ")
    return lines


def _cut(text: str, width: int) -> list[str]:
    """`text` in pieces of at most `width` columns (a character wider than that stands alone)."""
    if display_width(text) <= width:
        return [text]
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)]
    pieces: list[str] = []
    piece, used = "", 0
    for char in text:
        char_width = display_width(char)
        if piece and used + char_width > width:
            pieces.append(piece)
            piece, used = "", 0
        piece += char
        used += char_width
    pieces.append(piece)
    return pieces
