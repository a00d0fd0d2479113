"""The isolation levels by their meaning, tried in every order: for histories of a few transactions.

It shares nothing with the checker but the form of a history, which is why the two can be compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import permutations

from .history import Append, Key, Level, Outcome, Read, Transaction

State = dict[Key, tuple[int, ...]]


def allowed(history: Sequence[Transaction], level: Level) -> bool:
    """Whether some order of commits explains every read of the committed transactions. All outcomes must be known."""
    committed = [each for each in history if each.outcome is Outcome.OK]
    return any(_explains(order, level) for order in permutations(committed))


def _explains(order: Sequence[Transaction], level: Level) -> bool:
    states: list[State] = [{}]
    for transaction in order:
        state = dict(states[-1])
        for append in transaction.appends():
            state[append.key] = (*state.get(append.key, ()), append.value)
        states.append(state)
    return all(_fits(order, states, position, level) for position in range(len(order)))


def _fits(order: Sequence[Transaction], states: Sequence[State], position: int, level: Level) -> bool:
    """Whether the transaction at `position` can have read what it read, when each one's writes show at its commit."""
    transaction = order[position]
    now = states[position]
    if level is Level.SERIALIZABLE:
        return _reads_match(transaction, [[now]])
    if level is Level.REPEATABLE_READ:
        keys = {append.key for append in transaction.appends()}
        return any(
            _reads_match(transaction, [[states[snapshot]]])
            and not any(
                append.key in keys for other in order[snapshot:position] for append in other.appends()
            )
            for snapshot in range(position + 1)
        )
    return _reads_match(transaction, [states[: position + 1], [now]])


def _reads_match(transaction: Transaction, states: Sequence[Sequence[State]]) -> bool:
    """Whether each read shows one of the first states, or one of the last once the transaction has written the key."""
    own: dict[Key, tuple[int, ...]] = defaultdict(tuple)
    for operation in transaction.operations:
        match operation:
            case Append(key, value):
                own[key] = (*own[key], value)
            case Read(key, values):
                possible = states[-1] if own[key] else states[0]
                if not any(values == (*state.get(key, ()), *own[key]) for state in possible):
                    return False
    return True
