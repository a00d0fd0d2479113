"""The language of the golden scripts of two-phase commit: a line is an input, what follows from it is indented.

Inputs of a participant, which is that of shard 1 unless the first line says `shard N`:

    begin t                          logged t PREPARE 5           recover 5 PREPARE t deciding 0 of 0,1
    prepare t deciding 0 of 0,1      not-logged t PREPARE full    recover 6 COMMIT_PREPARED t at 5
    decide t of 0,1                  log-failed                   recover 7 COMMIT t of 0,1
    committed t from 0               applied t                    recover 8 ABORT t
    aborted t from 0                 synced 7                     truncate 9
    ask t from 1                     lost t                       state t
    finished t from 1                tick                         in-doubt
    wrote t 4

Inputs of a coordinator, whose first line says `writes on 0,1`:

    commit        prepared 1      decided 0       ended 1         awaited
    abort why     refused 1 why   unknown 0 why   tick            state
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from duckraft.engine.storage.log import Entry, EntryKind
from duckraft.engine.transactions import records
from duckraft.engine.transactions.coordinator import Coordinator
from duckraft.engine.transactions.participant import Participant
from duckraft.engine.transactions.protocol import (
    Append,
    Apply,
    Ask,
    CoordinatorEffect,
    CoordinatorMessage,
    Decide,
    Decided,
    Done,
    Ended,
    Finish,
    Finished,
    ParticipantEffect,
    ParticipantMessage,
    Prepare,
    Prepared,
    Refused,
    Reply,
    Resolved,
    RollBack,
    Send,
    Sync,
    Unknown,
)

SCRIPTS = Path(__file__).parent / "two_phase"
OPERATIONS = b"operations"


def run_participant(script: str) -> str:
    """What a participant answers to each line."""
    first, *rest = script.splitlines()
    number, lines = (int(first.split()[1]), rest) if first.startswith("shard ") else (1, [first, *rest])
    participant = Participant(number)
    return _transcript(lines, lambda line: _participant_line(participant, line.split()))


def run_coordinator(script: str) -> str:
    """What the coordinator of transaction `t` answers to each line."""
    first, *lines = script.splitlines()
    shards = _shards(first.removeprefix("writes on ")) if first.startswith("writes on ") else ()
    coordinator = Coordinator("t", dict.fromkeys(shards, OPERATIONS))
    return _transcript(lines, lambda line: _coordinator_line(coordinator, line.split()))


def _transcript(lines: Sequence[str], answer: Callable[[str], Iterator[str]]) -> str:
    return "\n".join(text for line in lines for text in (line, *(f"    {each}" for each in answer(line))))


def _participant_line(participant: Participant, words: list[str]) -> Iterator[str]:
    match words:
        case ["begin", transaction]:
            participant.begin(transaction)
        case ["wrote", transaction, sequence]:
            participant.wrote(transaction, int(sequence))
        case ["logged", transaction, kind, sequence]:
            yield from map(_effect, participant.logged(transaction, EntryKind[kind], int(sequence)))
        case ["not-logged", transaction, kind, reason]:
            yield from map(_effect, participant.not_logged(transaction, EntryKind[kind], reason))
        case ["log-failed"]:
            yield from map(_effect, participant.log_failed())
        case ["applied", transaction]:
            yield from map(_effect, participant.applied(transaction))
        case ["synced", sequence]:
            yield from map(_effect, participant.synced(int(sequence)))
        case ["lost", transaction]:
            yield from map(_effect, participant.coordinator_lost(transaction))
        case ["tick"]:
            yield from map(_effect, participant.tick())
        case ["recover", sequence, kind, transaction, *body]:
            entry = Entry(int(sequence), 0, EntryKind[kind], transaction, b"".join(_body(kind, body)))
            if (apply := participant.recover(entry)) is not None:
                yield _effect(apply)
        case ["truncate", checkpointed]:
            yield f"before {participant.truncate_before(int(checkpointed))}"
        case ["state", transaction]:
            yield participant.state_of(transaction).name
        case ["in-doubt"]:
            for each in participant.in_doubt():
                yield f"{each.transaction} at {each.prepared_at}: {each.deciding} of {_text(each.participants)}"
        case _:
            yield from map(_effect, participant.receive(_message(participant.shard, words)))


def _message(shard: int, words: list[str]) -> ParticipantMessage:
    match words:
        case ["prepare", transaction, "deciding", deciding, "of", shards]:
            return Prepare(transaction, shard, int(deciding), _shards(shards), OPERATIONS)
        case ["decide", transaction, "of", shards]:
            return Decide(transaction, shard, _shards(shards), OPERATIONS)
        case ["committed" | "aborted" as outcome, transaction, "from", deciding]:
            return Finish(transaction, shard, int(deciding), outcome == "committed")
        case ["ask", transaction, "from", asker]:
            return Ask(transaction, int(asker))
        case ["finished", transaction, "from", other]:
            return Finished(transaction, int(other))
        case _:
            raise ValueError(f"no input is written so: {' '.join(words)}")


def _body(kind: str, words: list[str]) -> tuple[bytes, ...]:
    match kind, words:
        case "PREPARE", ["deciding", deciding, "of", shards]:
            return records.encode_prepare(int(deciding), _shards(shards), OPERATIONS)
        case "COMMIT", ["of", shards]:
            return records.encode_commit(_shards(shards), OPERATIONS)
        case "COMMIT_PREPARED", ["at", sequence]:
            return records.encode_commit_prepared(int(sequence))
        case _:
            return ()


def _coordinator_line(coordinator: Coordinator, words: list[str]) -> Iterator[str]:
    match words:
        case ["commit"]:
            yield from map(_effect, coordinator.commit())
        case ["abort", *reason]:
            yield from map(_effect, coordinator.abort(" ".join(reason)))
        case ["tick"]:
            yield from map(_effect, coordinator.tick())
        case ["state"]:
            yield coordinator.state.name
        case ["awaited"]:
            yield _text(sorted(coordinator.awaited))
        case [kind, shard, *reason]:
            message = _reply(kind, int(shard), " ".join(reason))
            yield from map(_effect, coordinator.receive(message))
        case _:
            raise ValueError(f"no input is written so: {' '.join(words)}")


def _reply(kind: str, shard: int, reason: str) -> CoordinatorMessage:
    match kind:
        case "prepared":
            return Prepared("t", shard)
        case "refused":
            return Refused("t", shard, reason)
        case "decided":
            return Decided("t", shard)
        case "unknown":
            return Unknown("t", shard, reason)
        case "ended":
            return Ended("t", shard)
        case _:
            raise ValueError(f"no reply is called {kind}")


def _effect(effect: ParticipantEffect | CoordinatorEffect) -> str:
    match effect:
        case Append(kind, transaction, _, sync):
            return f"append {kind.name} {transaction}{', sync' if sync else ''}"
        case Sync(up_to):
            return f"sync up to {up_to}"
        case Apply(transaction, sequence, operations_from, operations_at):
            begin = f"{operations_from} to " if operations_from < operations_at else ""
            return f"apply {transaction} as {sequence}, operations at {begin}{operations_at}"
        case RollBack(transaction):
            return f"roll back {transaction}"
        case Send(to, message):
            return f"to shard {to}: {_message_text(message)}"
        case Reply(message):
            return f"to the coordinator: {_message_text(message)}"
        case Resolved(outcome, reason):
            return f"resolved: {outcome.value}{f' ({reason})' if reason else ''}"
        case Done():
            return "done"


def _message_text(message: ParticipantMessage | CoordinatorMessage) -> str:
    match message:
        case Prepare(transaction, _, deciding, participants, _):
            return f"Prepare {transaction}, {deciding} decides for {_text(participants)}"
        case Decide(transaction, _, participants, _):
            return f"Decide {transaction} for {_text(participants)}"
        case Finish(transaction, _, _, committed):
            return f"Finish {transaction}, {'committed' if committed else 'aborted'}"
        case Refused(transaction, shard, reason) | Unknown(transaction, shard, reason):
            return f"{type(message).__name__} {transaction} by {shard}: {reason}"
        case _:
            return f"{type(message).__name__} {message.transaction} by {message.shard}"


def _shards(text: str) -> tuple[int, ...]:
    return tuple(int(shard) for shard in text.split(","))


def _text(shards: Sequence[int]) -> str:
    return ",".join(map(str, shards))
