"""The ways to print a result: one module a format, found by name in `FORMATS`."""

from __future__ import annotations

from . import csv_text, json_array, json_lines, line, markdown, table, tsv_text
from .format import Format, Style

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (table, line, csv_text, tsv_text, json_array, json_lines, markdown)
}
"""Every format by its name, in the order in which help lists them."""

__all__ = ["FORMATS", "Format", "Style"]
