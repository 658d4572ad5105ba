"""Who listens in a voice chat, told as stories: a moment, what happens, what is known then."""

from __future__ import annotations

import random

from sattva_streamer.telegram.listeners import (
    ASK_EVERY,
    ASK_GAP,
    COUNT_LIVES,
    PRESENT_MAX,
    SETTLES_AFTER,
    Listeners,
    ServerCount,
)

ME = 42


class Story:
    """Listeners, a clock and a server."""

    def __init__(self, there: int = 0, *, hidden: bool = False) -> None:
        self.now = 0.0
        self.listeners = Listeners({ME}, self.now)
        self.there = there
        self.hidden = hidden

    def count(self, seconds: float = 0.1) -> None:
        asked_at = self.now
        self.listeners.count_begins(asked_at)
        answer = ServerCount(self.there + 1, self.hidden, 1)
        self.now += seconds
        self.listeners.counted(answer, asked_at)

    def fail(self) -> None:
        self.listeners.count_begins(self.now)
        self.listeners.count_failed(self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.listeners.settle(self.now)

    @property
    def known(self) -> int | None:
        return self.listeners.evidence(self.now).listeners

    @property
    def joins(self) -> int | None:
        return self.listeners.evidence(self.now).joins

    @property
    def wants_count(self) -> bool:
        return self.listeners.must_ask(self.now)


def test_nothing_is_known_before_the_server_has_said_it() -> None:
    story = Story()
    assert story.known is None
    assert story.wants_count
    story.count()
    assert story.known == 0


def test_who_joins_counts_at_once_and_who_leaves_only_when_the_server_says_so() -> None:
    story = Story()
    story.count()
    story.listeners.joined(1001, story.now)
    assert (story.known, story.joins) == (1, 1)
    story.listeners.left(1001, story.now)
    story.wait(SETTLES_AFTER)
    assert story.known == 1
    story.wait(ASK_GAP)
    assert story.wants_count
    story.count()
    assert (story.known, story.joins) == (0, 1)


def test_a_zero_that_only_events_tell_is_never_believed_though_the_server_is_silent() -> None:
    story = Story(there=1)
    story.count()
    story.listeners.left(1001, story.now)
    for _ in range(20):
        story.wait(2)
        story.fail()
        assert story.known != 0
    assert story.known == 1
    story.wait(COUNT_LIVES)
    assert story.known is None


def test_we_are_nobody_whatever_is_told_of_us() -> None:
    story = Story()
    story.count()
    for event in (story.listeners.joined, story.listeners.seen, story.listeners.left, story.listeners.joined):
        event(ME, story.now)
        story.wait(1)
    assert (story.known, story.joins) == (0, 0)


def test_kicked_and_joined_at_once_is_one_who_stays() -> None:
    story = Story(there=2)
    story.listeners.were_there([1001, 1002, ME])
    story.count()
    story.listeners.left(1002, story.now)
    story.listeners.joined(1002, story.now)
    assert (story.known, story.joins) == (2, 2)
    story.wait(1)
    assert (story.known, story.joins) == (2, 2)
    assert not story.wants_count


def test_who_left_was_not_counted_and_came_back_at_once_is_a_listener() -> None:
    story = Story(there=1)
    story.listeners.were_there([1001])
    story.count()
    story.listeners.left(1001, story.now)
    story.there = 0
    story.count(seconds=0.05)
    story.listeners.joined(1001, story.now)
    assert story.known == 1
    story = Story(there=1)
    story.listeners.were_there([1001])
    story.count()
    story.listeners.left(1001, story.now)
    asked_at = story.now
    story.listeners.count_begins(asked_at)
    story.listeners.joined(1001, asked_at + 0.05)
    story.listeners.counted(ServerCount(1, hidden=False, ours=1), asked_at)
    assert story.known == 1


def test_a_ghost_that_is_told_to_leave_and_comes_is_a_listener() -> None:
    story = Story()
    story.listeners.were_there([1001])
    story.count()
    story.listeners.left(1001, story.now + 0.01)
    story.listeners.joined(1001, story.now + 0.02)
    assert story.known == 1


def test_a_ghost_who_comes_back_is_a_listener() -> None:
    story = Story(there=1)
    story.listeners.were_there([1001])
    story.count()
    story.there = 0  # and no update told it
    story.wait(ASK_EVERY)
    story.count()
    assert story.known == 0
    story.listeners.joined(1001, story.now)
    assert story.known == 1


def test_somebody_whom_no_event_announced_counts_as_a_join() -> None:
    story = Story()
    story.count()
    story.there = 1
    story.count()
    assert (story.known, story.joins) == (1, 1)
    story.there = 0
    story.count()
    assert (story.known, story.joins) == (0, 1)


def test_who_joins_while_the_server_is_asked_is_not_lost() -> None:
    story = Story()
    story.count()
    asked_at = story.now
    story.listeners.count_begins(asked_at)
    story.listeners.joined(1001, asked_at + 0.05)
    story.listeners.counted(ServerCount(1, hidden=False, ours=1), asked_at)
    assert story.known == 1


def test_who_leaves_while_the_server_is_asked_makes_it_be_asked_again() -> None:
    story = Story(there=1)
    story.count()
    asked_at = story.now
    story.listeners.count_begins(asked_at)
    story.listeners.left(1001, asked_at + 0.05)
    story.wait(SETTLES_AFTER + 0.05)
    story.listeners.counted(ServerCount(1, hidden=False, ours=1), asked_at)
    assert story.known == 1
    story.wait(ASK_GAP)
    assert story.wants_count


def test_with_a_hidden_list_the_count_is_the_servers_and_joins_are_unknown() -> None:
    story = Story(there=5, hidden=True)
    story.count()
    assert (story.known, story.joins) == (5, None)
    story.there = 0
    story.wait(ASK_EVERY)
    assert story.wants_count
    story.count()
    assert story.known == 0


def test_a_count_lives_45_seconds_and_not_a_moment_longer() -> None:
    story = Story()
    story.count(seconds=0)
    story.wait(COUNT_LIVES - 0.01)
    assert story.known == 0
    story.wait(0.01)
    assert story.known is None


def test_a_join_is_known_though_no_count_is() -> None:
    story = Story()
    story.fail()
    story.listeners.joined(1001, story.now)
    assert story.known == 1
    story.wait(COUNT_LIVES)
    assert story.known is None


def test_an_update_of_somebody_where_nobody_was_counted_is_a_listener() -> None:
    story = Story()
    story.count()
    story.listeners.seen(1001, story.now)
    assert story.known == 1
    story.wait(ASK_GAP)
    assert story.wants_count


def test_leaving_twice_takes_nobody_elses_place() -> None:
    story = Story(there=2)
    story.count()
    for _ in range(3):
        story.listeners.left(1001, story.now)
        story.wait(1)
    assert story.known == 2


def test_an_older_answer_that_comes_late_changes_nothing() -> None:
    story = Story(there=1)
    story.wait(10)
    story.count()
    story.listeners.counted(ServerCount(1, hidden=False, ours=1), story.now - 5)
    assert story.known == 1


def test_a_contradiction_is_unknown() -> None:
    assert ServerCount(0, hidden=False, ours=1).listeners() is None
    assert ServerCount(1, hidden=False, ours=2).listeners() is None
    assert ServerCount(1, hidden=False, ours=1, others_seen=1).listeners() == 1


def test_a_server_that_fails_is_asked_again_but_not_pestered() -> None:
    story = Story()
    gaps = []
    for _ in range(8):
        story.fail()
        gap = story.listeners.next_deadline() - story.now
        gaps.append(gap)
        story.wait(gap)
    assert gaps[:3] == [2, 4, 8]
    assert max(gaps) == ASK_EVERY


def test_a_crowd_coming_and_going_does_not_pester_the_server() -> None:
    story = Story(there=500)
    story.count()
    asked = 0
    for user in range(600):
        story.listeners.left(user, story.now)
        story.wait(0.1)
        if story.wants_count:
            story.count(seconds=0)
            asked += 1
    assert asked <= 13


def test_the_memory_is_bounded_and_a_crowd_only_costs_the_joins() -> None:
    story = Story()
    story.count()
    for user in range(100, 100 + 3 * PRESENT_MAX):
        story.listeners.joined(user, story.now)
    assert len(story.listeners._present) <= PRESENT_MAX
    assert len(story.listeners._arrived) <= PRESENT_MAX
    assert story.known is not None
    assert story.known > 0
    assert story.joins is None


def test_whatever_happens_a_zero_is_the_servers_and_no_join_was_told_since() -> None:
    """Random lives: joins, leaves, reconnections, ghosts, lost updates, counts that fail."""
    zeros = 0
    for seed in range(300):
        chance = random.Random(seed)
        story = Story(hidden=chance.random() < 0.2)
        there: set[int] = set()
        counted_empty, join_told = False, False
        for _ in range(200):
            story.wait(chance.choice([0.01, 0.1, 0.3, 1, 5, 20]))
            user = chance.randrange(1000, 1003)
            told = chance.random() < 0.7 and not story.hidden
            what = chance.randrange(6)
            if what == 0 and user not in there:
                there.add(user)
                if told:
                    story.listeners.joined(user, story.now)
                    join_told = True
            elif what in {1, 2} and user in there:
                there.discard(user)
                if told:
                    story.listeners.left(user, story.now)
            elif what == 3 and user in there and told:
                story.listeners.left(user, story.now)
                story.listeners.joined(user, story.now)
            elif story.wants_count:
                story.there = len(there)
                if chance.random() < 0.2:
                    story.fail()
                else:
                    story.count(seconds=0)
                    counted_empty, join_told = not there, False
            known = story.listeners.evidence(story.now)
            if known.listeners == 0:
                zeros += 1
                assert counted_empty, seed
                assert not join_told, seed
                assert story.now - known.taken_at < COUNT_LIVES, seed
    assert zeros > 1000
