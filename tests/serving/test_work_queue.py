"""The queue of work: batches, turns, bounds, errors, and the end."""

import threading
import time

import pytest

from selfsent.errors import UserError
from selfsent.serving.work_queue import OverloadedError, StoppingError, WorkQueue


class Worker:
    """Doubles numbers, once it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[int]]] = []
        self.go = threading.Event()
        self.began = threading.Event()

    def named(self, name):
        def run(items):
            self.began.set()
            self.go.wait(10)
            self.batches.append((name, items))
            if any(item < 0 for item in items):
                raise UserError("a number must not be negative")
            return [2 * item for item in items]

        return run


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def queue():
    made = WorkQueue(max_waiting=4, max_wait_s=60, max_batch=3)
    yield made
    made.close(10)


def results(futures):
    return [value for future in futures for value in future.result(10)]


def hold(queue, worker, name="first"):
    """Give the thread something to do, so that what follows waits."""
    held = queue.submit("hold", name, worker.named(name), [0])
    assert worker.began.wait(10)
    return held


def test_items_of_one_request_come_back_in_their_order(queue, worker):
    worker.go.set()
    assert results(queue.submit("a", "k", worker.named("k"), range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [len(items) for _, items in worker.batches] == [3, 3, 2]


def test_pieces_of_equal_keys_are_joined_and_others_are_not(queue, worker):
    hold(queue, worker)
    asked = [queue.submit("a", key, worker.named(key), [number]) for number, key in enumerate("xyxx")]
    worker.go.set()
    assert [results(one) for one in asked] == [[0], [2], [4], [6]]
    assert worker.batches[1:] == [("x", [0, 2, 3]), ("y", [1])]


def test_kinds_take_turns(queue, worker):
    hold(queue, worker)
    many = queue.submit("bulk", "bulk", worker.named("bulk"), range(9))
    one = queue.submit("search", "search", worker.named("search"), [1])
    worker.go.set()
    results(many), results(one)
    assert [name for name, _ in worker.batches].index("search") <= 2


def test_a_full_queue_refuses_the_whole_request_and_only_its_kind(queue, worker):
    hold(queue, worker)
    queue.submit("a", "k", worker.named("k"), range(9))
    with pytest.raises(OverloadedError) as refused:
        queue.submit("a", "k", worker.named("k"), range(6))
    assert refused.value.retry_after_s >= 1
    assert queue.num_waiting["a"] == 3
    queue.submit("b", "k", worker.named("k"), [1])
    queue.submit("a", "k", worker.named("k"), [1])
    worker.go.set()


def test_what_would_wait_too_long_is_refused_although_there_is_room(worker):
    queue = WorkQueue(max_waiting=100, max_wait_s=0.01, max_batch=1)
    results(queue.submit("a", "k", lambda items: time.sleep(0.1) or items, [1]))  # a piece takes about 0.02 s now
    hold(queue, worker)
    accepted = queue.submit("a", "k", worker.named("k"), range(3))  # nothing waits before it
    with pytest.raises(OverloadedError):
        queue.submit("a", "k", worker.named("k"), [4])
    worker.go.set()
    assert results(accepted) == [0, 2, 4]
    queue.close(10)


def test_one_bad_item_costs_the_others_nothing(queue, worker):
    hold(queue, worker)
    good = queue.submit("a", "k", worker.named("k"), [1])
    bad = queue.submit("a", "k", worker.named("k"), [-1])
    worker.go.set()
    assert results(good) == [2]
    with pytest.raises(UserError, match="negative"):
        results(bad)


def test_the_thread_outlives_an_error_of_the_program(queue):
    def broken(_items):
        raise KeyError("lost")

    with pytest.raises(KeyError):
        results(queue.submit("a", "k", broken, [1]))
    assert results(queue.submit("a", "l", lambda items: items, [1])) == [1]


def test_what_nobody_waits_for_is_not_done(queue, worker):
    hold(queue, worker)
    (given_up,) = queue.submit("a", "k", worker.named("k"), [1])
    kept = queue.submit("a", "k", worker.named("k"), [2])
    given_up.cancel()
    worker.go.set()
    assert results(kept) == [4]
    assert ("k", [2]) in worker.batches


def test_closing_finishes_what_was_accepted_and_refuses_the_rest(worker):
    queue = WorkQueue(max_waiting=4, max_wait_s=60, max_batch=3)
    hold(queue, worker)
    accepted = queue.submit("a", "k", worker.named("k"), [1])
    closing = threading.Thread(target=queue.close)
    closing.start()
    deadline = time.monotonic() + 10
    while not queue.is_closed and time.monotonic() < deadline:
        time.sleep(0.001)
    with pytest.raises(StoppingError):
        queue.submit("a", "k", worker.named("k"), [1])
    worker.go.set()
    closing.join(10)
    assert results(accepted) == [2]
