"""What a user can choose in the shell: by an option of the command line, by a command, or not at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """The choices in force.

    expanded: print with the format `line` where `table` would be used. null: text for NULL; None for the format's own.
    quiet: no command tags and no greeting. stop_on_error: a script ends at its first error.
    """

    format: str = "table"
    expanded: bool = False
    header: bool = True
    null: str | None = None
    timing: bool = False
    echo: bool = False
    quiet: bool = False
    stop_on_error: bool = True

    @property
    def effective_format(self) -> str:
        """The name of the format to print with."""
        return "line" if self.expanded and self.format == "table" else self.format
