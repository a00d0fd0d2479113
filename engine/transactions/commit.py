"""A commit over several shards: runs the machines of two-phase commit against logs and DuckDB.

The shards are in this process, so what the machines say to each other is carried at once, by the thread of the session
that commits. What would become visible on one shard after another is held back until every shard is ready, and is then
done inside the gate.
Promises: as `protocol.py` asks of a driver. All shards commit or none, whatever fails; what nobody can know is said.
Leaves to others: the rules (`coordinator.py`, `participant.py`), what a crash left behind (`recovery.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import NoReturn

from ..errors import Error, OperationalError
from ..storage.log import EntryKind
from ..testing import crashpoints
from .coordinator import Coordinator
from .gate import CommitGate
from .protocol import (
    Append,
    Apply,
    CoordinatorEffect,
    Decide,
    Done,
    Outcome,
    ParticipantEffect,
    Prepare,
    Reply,
    Resolved,
    RollBack,
    Send,
    Sync,
)
from .recovery import APPENDED
from .store import Applying, ShardStore, behind, outcome_unknown
from .writer import ShardWriter

_SYNCED = {EntryKind.PREPARE: "prepare-synced", EntryKind.COMMIT: "decision-synced"}


def commit_everywhere(
    stores: Mapping[int, ShardStore],
    gate: CommitGate,
    applying: Applying,
    transaction: str,
    writers: Sequence[ShardWriter],
) -> None:
    """Commit on all these shards or on none. Raises errors.Error."""
    with ExitStack() as held:
        _Commit(stores, gate, applying, transaction, writers, held).run()
    crashpoints.reach("acknowledged")


class _Commit:
    """One transaction's commit. held: gives up, in the end, the mutexes of the shards."""

    def __init__(
        self,
        stores: Mapping[int, ShardStore],
        gate: CommitGate,
        applying: Applying,
        transaction: str,
        writers: Sequence[ShardWriter],
        held: ExitStack,
    ) -> None:
        self._stores = stores
        self._gate = gate
        self._applying = applying
        self._transaction = transaction
        self._writers = {writer.number: writer for writer in sorted(writers, key=lambda one: one.number)}
        self._held = held
        self._coordinator = Coordinator(
            transaction, {number: writer.inline() for number, writer in self._writers.items()}
        )
        self._effects: deque[tuple[int, ParticipantEffect | CoordinatorEffect]] = deque()
        self._applies: list[tuple[int, Apply]] = []
        self._resolved: Resolved | None = None
        self._failure: Error | None = None
        self._asked_to_decide = False

    def run(self) -> None:
        """From the first message to the outcome. Raises errors.Error unless it is committed."""
        try:
            self._run()
        except Error:
            raise
        except BaseException:
            self._give_up()
            raise

    def _run(self) -> None:
        for number in self._writers:
            store = self._stores[number]
            with store.books:
                store.participant.begin(self._transaction)
        self._effects.extend((0, effect) for effect in self._coordinator.commit())
        self._carry_on()
        if self._applies:
            self._apply()
            self._carry_on()
        outcome = Outcome.UNKNOWN if self._resolved is None else self._resolved.outcome
        if outcome is Outcome.COMMITTED:
            return
        failure = self._failure or OperationalError(self._resolved.reason if self._resolved else "no answer")
        if outcome is Outcome.UNKNOWN:
            raise outcome_unknown(failure)
        # Whatever was not known of the log that failed: nobody has decided to commit.
        raise OperationalError(
            f"the transaction is rolled back: {failure.message}", sqlstate=failure.sqlstate, hint=failure.hint
        )

    def _give_up(self) -> None:
        """The thread was interrupted. What may be decided cannot be taken back, and not be followed either."""
        if self._asked_to_decide:
            interrupted = OperationalError("a commit was interrupted")
            for number in self._writers:
                self._stores[number].fail(interrupted)
            return
        self._effects.clear()
        self._effects.extend((0, effect) for effect in self._coordinator.abort("it was interrupted"))
        self._carry_on()

    def _carry_on(self) -> None:
        """Carry messages and write entries until nothing is left to do but to apply."""
        while self._effects:
            number, effect = self._effects.popleft()
            match effect:
                case Send(to, message):
                    if isinstance(message, Decide):
                        crashpoints.reach("all-prepared")
                        self._take_turn()
                        self._asked_to_decide = True
                    elif isinstance(message, Prepare):
                        crashpoints.reach("prepare-begun")
                    with self._stores[to].books:
                        self._add(to, self._stores[to].participant.receive(message))
                case Reply(message):
                    if message.transaction == self._transaction:
                        self._effects.extend((0, one) for one in self._coordinator.receive(message))
                case Append():
                    self._append(number, effect)
                case Apply():
                    self._applies.append((number, effect))
                case RollBack():
                    with suppress(Error):  # The session's connection is of no more use, and says so itself.
                        self._writers[number].roll_back()
                case Sync(up_to):
                    self._stores[number].sync(up_to)
                case Resolved():
                    self._resolved = effect
                    if effect.outcome is Outcome.ABORTED:
                        crashpoints.reach("abort-begun")
                case Done():
                    pass

    def _take_turn(self) -> None:
        """From the decision on, no other commit of these shards may come between its entry and its changes."""
        for number in self._writers:
            self._held.enter_context(self._stores[number].mutex)

    def _append(self, number: int, effect: Append) -> None:
        store = self._stores[number]
        if effect.kind is EntryKind.PREPARE:
            store.keep_log(effect.transaction)  # A checkpoint may come before the participant hears of it.
        try:
            sequence = store.append(effect.kind, effect.transaction, effect.body)
        except Error as error:
            self._failure = self._failure or error
            with store.books:
                self._add(
                    number, store.participant.not_logged(effect.transaction, effect.kind, error.message)
                )
            return
        crashpoints.reach(APPENDED[effect.kind])
        if effect.kind is EntryKind.ABORT:
            store.keep_from.pop(effect.transaction, None)
        if effect.sync:
            try:
                store.sync(sequence)
            except Error as error:
                self._failure = self._failure or error
                with store.books:
                    self._add(number, store.participant.log_failed(effect.transaction))
                return
            crashpoints.reach(_SYNCED[effect.kind])
        with store.books:
            self._add(number, store.participant.logged(effect.transaction, effect.kind, sequence))

    def _add(self, number: int, effects: Sequence[ParticipantEffect]) -> None:
        self._effects.extend((number, effect) for effect in effects)

    def _apply(self) -> None:
        """Let all shards show the transaction at once. Raises errors.Error; then a shard has failed."""
        if self._failure is not None:
            # It is decided, and a log could not take note of that. Nobody may see it on a part of its shards.
            for number in self._writers:
                self._stores[number].fail(self._failure)
            self._raise_committed(behind(self._failure))
        applies = sorted(self._applies, key=lambda one: one[0])
        with self._applying([number for number, _ in applies]), self._gate.committing() as commit:
            for number, apply in applies:
                store, writer = self._stores[number], self._writers[number]
                try:
                    store.apply(writer.connection, apply.sequence)
                except Error as error:
                    self._failure = error
                    for other in self._writers:
                        self._stores[other].fail(error)
                    break
                writer.committed = commit
                crashpoints.reach("decision-applied" if number == min(self._writers) else "outcome-applied")
                with store.books:
                    self._add(number, store.participant.applied(self._transaction))
        if self._failure is not None:
            self._raise_committed(self._failure)

    def _raise_committed(self, error: Error) -> NoReturn:
        for number in self._writers:  # It is committed: nobody is to say in a log that it was given up.
            self._stores[number].keep_from.pop(self._transaction, None)
        raise error
