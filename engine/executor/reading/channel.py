"""A bounded channel: several threads put, one or several take, and anybody may end it.

Promises: never holds more than `capacity` items; nobody waits for a channel that was closed; no polling.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Items from a number of senders to whoever iterates. senders: how many will say that they are done."""

    def __init__(self, capacity: int, senders: int) -> None:
        self._capacity = capacity
        self._senders = senders
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Add an item, waiting while the channel is full. False if it is closed: nothing more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def done(self) -> None:
        """One of the senders puts no more."""
        with self._changed:
            self._senders -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the channel at once; items that nobody has taken are gone."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._items or not self._senders)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
