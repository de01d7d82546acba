"""Receiving in an event loop: no polling, no lost messages, clear ends."""

import asyncio

import pytest
from observing import FRAME, POSE, WATCHDOG_S, start_python
from signalbox import Publisher, SignalboxError, Subscriber


class WakeupCount:
    """How often the event loop returns from its sleep."""

    def __init__(self) -> None:
        self.count = 0
        selector = asyncio.get_running_loop()._selector
        select = selector.select

        def counted(timeout: float | None = None) -> list:
            self.count += 1
            return select(timeout)

        selector.select = counted


async def test_receive_async_sleeps_until_there_is_a_message() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        wakeups = WakeupCount()
        asyncio.get_running_loop().call_later(0.3, publisher.send, (1, 0))
        sample = await subscriber.receive_async()
        assert sample.data["seq"] == 1
        # One sleep for the timer, one for the descriptor, and the steps of the task itself.
        assert wakeups.count <= 6


async def test_message_at_hand_needs_no_sleep() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        publisher.send((1, 0))
        wakeups = WakeupCount()
        assert (await subscriber.receive_async()).data["seq"] == 1
        assert wakeups.count == 0


async def test_loop_does_not_spin_while_messages_wait_for_us() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        asyncio.get_running_loop().call_soon(publisher.send, (1, 0))
        await subscriber.receive_async()
        publisher.send((2, 0))
        wakeups = WakeupCount()
        await asyncio.sleep(0.2)
        assert wakeups.count <= 3
        assert (await subscriber.receive_async()).data["seq"] == 2


async def test_async_for_gets_every_message_of_another_process() -> None:
    code = (
        "import signalbox, sys\n"
        "kind = [('number', 'u8'), ('pixels', 'u1', (60, 80))]\n"
        "frames = signalbox.Publisher('frames', kind)\n"
        "sys.stdin.readline()\n"
        "for number in range(300):\n"
        "    frames.send((number, number % 256), timeout=60)\n"
        "sys.stdin.readline()\n"
    )
    with (
        Subscriber("frames", FRAME, start="oldest", reliable=True) as subscriber,
        start_python("-c", code) as child,
    ):
        child.stdin.write("go\n")
        child.stdin.flush()
        numbers = []
        async with asyncio.timeout(WATCHDOG_S):
            async for sample in subscriber:
                numbers.append(int(sample.data["number"]))
                assert (sample.data["pixels"] == numbers[-1] % 256).all()
                if len(numbers) == 300:
                    break
    assert numbers == list(range(300))


async def test_other_tasks_run_under_a_flood() -> None:
    with (
        Publisher("poses", POSE, depth=1024) as publisher,
        Subscriber("poses", POSE) as subscriber,
    ):
        for seq in range(1000):
            publisher.send((seq, 0))
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count_turns())
        for seq in range(1000):
            assert (await subscriber.receive_async()).data["seq"] == seq
        other.cancel()
        assert turns >= 10


async def test_cancelled_receive_loses_nothing() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        for seq in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await subscriber.receive_async()
            publisher.send((seq, 0))
            assert (await subscriber.receive_async()).data["seq"] == seq


async def test_second_task_is_refused() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        first = asyncio.create_task(subscriber.receive_async())
        await asyncio.sleep(0)
        with pytest.raises(SignalboxError, match="another task") as refused:
            await subscriber.receive_async()
        assert refused.value.code == "in_use"
        publisher.send((1, 0))
        assert (await first).data["seq"] == 1


async def test_close_ends_the_wait_of_a_task() -> None:
    subscriber = Subscriber("poses", POSE)
    receiving = asyncio.create_task(subscriber.receive_async())
    await asyncio.sleep(0)
    subscriber.close()
    with pytest.raises(SignalboxError) as refused:
        await receiving
    assert refused.value.code == "closed"


async def test_close_ends_async_for() -> None:
    with Publisher("poses", POSE) as publisher:
        subscriber = Subscriber("poses", POSE)
        publisher.send((1, 0))
        asyncio.get_running_loop().call_later(0.02, subscriber.close)
        assert [int(sample.data["seq"]) async for sample in subscriber] == [1]
        assert [sample async for sample in subscriber] == []


async def test_subscribers_of_many_topics_in_one_loop() -> None:
    topics = [f"topic{i}" for i in range(8)]
    publishers = [Publisher(topic, POSE) for topic in topics]
    subscribers = [Subscriber(topic, POSE) for topic in topics]

    async def sum_of(subscriber: Subscriber) -> int:
        return sum([int((await subscriber.receive_async()).data["seq"]) for _ in range(20)])

    async def publish() -> None:
        for seq in range(20):
            for publisher in publishers:
                publisher.send((seq, 0))
            await asyncio.sleep(0.001)

    async with asyncio.timeout(WATCHDOG_S):
        *sums, _ = await asyncio.gather(*map(sum_of, subscribers), publish())
    assert sums == [sum(range(20))] * 8
    for handle in (*publishers, *subscribers):
        handle.close()


def test_one_subscriber_in_two_loops_one_after_the_other() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        for seq in range(2):

            async def receive(seq: int = seq) -> int:
                asyncio.get_running_loop().call_later(0.01, publisher.send, (seq, 0))
                return int((await subscriber.receive_async()).data["seq"])

            assert asyncio.run(receive()) == seq
