"""Channels: bounded, ended by anybody, without polling."""

from __future__ import annotations

import threading

from duckraft.engine.executor.reading.channel import Channel


def test_items_come_in_order_until_every_sender_is_done() -> None:
    channel: Channel[int] = Channel(10, senders=2)
    channel.put(1)
    channel.done()
    channel.put(2)
    channel.done()
    assert list(channel) == [1, 2]


def test_a_full_channel_makes_its_sender_wait_for_the_reader() -> None:
    channel: Channel[int] = Channel(2, senders=1)
    most = 0
    sent = 0

    def send() -> None:
        nonlocal sent
        for number in range(100):
            channel.put(number)
            sent = number + 1
        channel.done()

    sender = threading.Thread(target=send)
    sender.start()
    taken = 0
    for taken, number in enumerate(channel, start=1):
        assert number == taken - 1
        most = max(most, sent - taken)
    sender.join()
    assert taken == 100
    # Two wait in the channel, and one more may have been put between the reader's two looks.
    assert most <= 3


def test_a_sender_that_waits_learns_that_nothing_more_is_wanted() -> None:
    channel: Channel[int] = Channel(1, senders=1)
    assert channel.put(1)
    answers: list[bool] = []
    sender = threading.Thread(target=lambda: answers.append(channel.put(2)))
    sender.start()
    channel.close()
    sender.join(timeout=10)
    assert answers == [False]
    assert list(channel) == []


def test_a_reader_that_waits_learns_that_the_channel_was_closed() -> None:
    channel: Channel[int] = Channel(1, senders=1)
    found: list[list[int]] = []
    reader = threading.Thread(target=lambda: found.append(list(channel)))
    reader.start()
    channel.close()
    reader.join(timeout=10)
    assert found == [[]]
