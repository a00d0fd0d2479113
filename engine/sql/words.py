"""A statement read word by word from its start: what the parsers of our own statements are written with.

Promises: what is not as expected is a ProgrammingError (42601) that names the word and its place, as PostgreSQL does.
Leaves to others: statements whose middle is an expression; `reader.py` finds its way through those.
"""

from __future__ import annotations

from ..errors import ProgrammingError
from .lexer import Kind, Lexeme, significant
from .names import name_at


class Words:
    """The lexemes of a statement without semicolons at its end, and which of them comes next.

    usage: how the statement is written, for hints.
    """

    def __init__(self, text: str, usage: str) -> None:
        self.lexemes = significant(text)
        while self.lexemes and self.lexemes[-1].text == ";":
            self.lexemes.pop()
        self.usage = usage
        self.index = 0

    @property
    def at_end(self) -> bool:
        """Whether every lexeme was taken."""
        return self.index >= len(self.lexemes)

    @property
    def next(self) -> Lexeme | None:
        """The lexeme that comes next; None at the end."""
        return None if self.at_end else self.lexemes[self.index]

    def take(self, *words: str) -> bool:
        """Step over these words if just they come next; a symbol counts as a word."""
        ahead = self.lexemes[self.index : self.index + len(words)]
        if [lexeme.upper or lexeme.text for lexeme in ahead] != list(words):
            return False
        self.index += len(words)
        return True

    def take_one(self, *words: str) -> str | None:
        """Step over the next word if it is one of these, and return it."""
        return next((word for word in words if self.take(word)), None)

    def expect(self, *words: str) -> None:
        """Step over these words. Raises ProgrammingError at the first that is another."""
        for word in words:
            if not self.take(word):
                raise self.error()

    def name(self) -> str:
        """Step over one name without qualifiers. Raises ProgrammingError."""
        lexeme = self.next
        if lexeme is None or lexeme.kind not in (Kind.WORD, Kind.QUOTED):
            raise self.error()
        self.index += 1
        return lexeme.identifier

    def qualified_name(self) -> tuple[str, ...]:
        """Step over a name with its qualifiers. Raises ProgrammingError."""
        found = name_at(self.lexemes, self.index)
        if found is None:
            raise self.error()
        self.index = found[1]
        return found[0]

    def string(self) -> str:
        """Step over a string between single quotes. Raises ProgrammingError."""
        lexeme = self.next
        if lexeme is None or lexeme.kind is not Kind.STRING or not lexeme.text.startswith("'"):
            raise self.error()
        self.index += 1
        return lexeme.text[1:-1].replace("''", "'")

    def finish(self) -> None:
        """Raise ProgrammingError unless everything was taken."""
        if not self.at_end:
            raise self.error()

    @property
    def position(self) -> int:
        """Where the next lexeme stands, from 1; at the end, where the last one does."""
        if not self.lexemes:
            return 1
        return self.lexemes[min(self.index, len(self.lexemes) - 1)].start + 1

    def error(self) -> ProgrammingError:
        """That the next lexeme should not stand there."""
        lexeme = self.next
        where = "at end of input" if lexeme is None else f'at or near "{lexeme.text}"'
        return ProgrammingError(
            f"syntax error {where}", sqlstate="42601", position=self.position, hint=self.usage
        )
