"""A limit of time: what still fits in."""

import math

from selfsent.time_limit import TimeLimit


def test_without_minutes_everything_fits():
    limit = TimeLimit()
    assert limit.seconds_left == math.inf
    assert limit.allows(1e12)


def test_what_takes_longer_than_is_left_does_not_fit():
    limit = TimeLimit(minutes=10)
    assert 590 < limit.seconds_left <= 600
    assert limit.allows(500)
    assert not limit.allows(601)
    assert TimeLimit(0).seconds_left == 0
    assert not TimeLimit(0).allows(0)
