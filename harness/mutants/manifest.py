"""The planted bugs. Each has its patch here, by its name, and its page in docs/pitfalls/."""

from __future__ import annotations

from dataclasses import dataclass

# What anybody would try by hand, and most test suites have: echoes, and an orderly end.
SMALL = "test_protocol.py::test_echoes_a_frame_of_any_size[64]"
LARGE = "test_protocol.py::test_echoes_a_frame_of_any_size[1048576]"
EMPTY = "test_protocol.py::test_echoes_empty_frames_between_others"
JOINED = "test_protocol.py::test_frames_joined_in_one_segment"
SPLIT = "test_protocol.py::test_one_byte_a_segment"
SEVERAL = "test_protocol.py::test_connections_do_not_see_each_others_bytes"
END = "test_endings.py::test_half_close_after_whole_frames"

ORDINARY = {
    SMALL: "64 bytes",
    LARGE: "1 MiB",
    EMPTY: "empty frames",
    JOINED: "1000 frames joined",
    SPLIT: "a byte a segment",
    SEVERAL: "50 connections",
    END: "half-close",
}


@dataclass(frozen=True)
class Mutant:
    """A test is named without its server; `named` must fail on every server of `servers`, `blind` must pass. A test
    that may come out either way is in neither."""

    name: str
    title: str
    servers: tuple[str, ...]
    named: tuple[str, ...]
    blind: tuple[str, ...] = tuple(ORDINARY)
    sanitize: str = ""


def all_but(*tests: str) -> tuple[str, ...]:
    return tuple(each for each in ORDINARY if each not in tests)


MUTANTS = (
    Mutant(
        "edge-reads-once", "edge-triggered: one read for each event", ("epoll_et",),
        ("test_endings.py::test_data_of_several_reads_and_end_in_one_wake_up",),
        all_but(LARGE, JOINED, END),
    ),
    Mutant(
        "edge-accepts-once", "edge-triggered: one accept for each event", ("epoll_et",),
        ("test_batch.py::test_many_connect_in_one_wake_up",),
        all_but(SEVERAL),
    ),
    Mutant(
        "edge-budget-without-ready-list", "edge-triggered: stops at its budget, and nobody remembers", ("epoll_et",),
        ("test_pitfalls_loop.py::test_more_waits_than_a_turn_reads",),
        all_but(LARGE, JOINED),
    ),
    Mutant(
        "edge-forgets-after-pause", "edge-triggered: forgets to read again after a pause", ("epoll_et",),
        ("test_backpressure.py::test_resumes_when_nothing_new_comes",),
    ),
    Mutant(
        "write-interest-always-on", "write interest is always on", ("epoll_lt", "poll_srv"),
        ("test_idle.py::test_with_connections_that_have_been_served",),
    ),
    Mutant(
        "write-interest-never-again", "write interest never comes on after a short write",
        ("epoll_lt", "select_srv"),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
        all_but(LARGE),
    ),
    Mutant(
        "close-at-hangup", "a hang-up event (EPOLLRDHUP, EV_EOF) is taken for the end of the input",
        ("epoll_et", "kqueue_srv"),
        ("test_endings.py::test_data_and_end_in_one_wake_up[64]",
         "test_endings.py::test_data_and_end_before_the_accept"),
        all_but(END),
    ),
    Mutant(
        "read-without-room", "a read with no room left, whose 0 is taken for the end", ("epoll_lt",),
        ("test_protocol.py::test_echoes_a_frame_of_any_size[200000]", LARGE),
        all_but(LARGE),
    ),
    Mutant(
        "short-write-drops-the-rest", "a short write is taken for a whole one", ("epoll_lt", "epoll_et"),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",
         "test_endings.py::test_everything_pending_is_sent_after_the_end"),
        all_but(LARGE),
    ),
    Mutant(
        "eintr-in-the-wait", "EINTR of the wait is taken for an error", ("epoll_lt",),
        ("test_signals.py::test_stopping_and_continuing_the_process_disturbs_nobody",),
    ),
    Mutant(
        "eintr-in-a-call", "EINTR of recv and send is taken for an error", ("epoll_lt",),
        ("test_pitfalls_calls.py::test_every_second_recv_and_send_is_refused[EINTR]",),
    ),
    Mutant(
        "eagain-is-an-error", "EAGAIN is taken for an error", ("poll_srv",),
        ("test_pitfalls_calls.py::test_every_second_recv_and_send_is_refused[EAGAIN]",),
    ),
    Mutant(
        "sigpipe-is-fatal", "SIGPIPE ends the server", ("epoll_lt",),
        ("test_pitfalls_loop.py::test_no_sigpipe_with_output_pending_after_the_end",),
        (*ORDINARY, "test_signals.py::test_no_sigpipe"),
    ),
    Mutant(
        "unbounded-output", "output for a peer that does not read grows without end", ("epoll_lt",),
        ("test_backpressure.py::test_reading_stops_at_the_high_water_mark",),
    ),
    Mutant(
        "never-resumes", "a high-water mark without a low one: reading never begins again", ("poll_srv",),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
    ),
    Mutant(
        "length-in-host-order", "the frame's length is read in the host's byte order", ("select_srv",),
        (SMALL,), ("test_protocol.py::test_echoes_a_frame_of_any_size[0]",),
    ),
    Mutant(
        "length-not-limited", "the frame's length is not limited", ("epoll_lt",),
        ("test_protocol.py::test_max_frame_is_the_largest_payload",
         "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967295]"),
    ),
    Mutant(
        "length-wraps-at-32-bits", "header and length are added up in 32 bits", ("epoll_lt",),
        ("test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967292]",
         "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967295]"),
        (*ORDINARY, "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[2147483648]"),
    ),
    Mutant(
        "partial-header-lost", "the first bytes of a split header are forgotten", ("epoll_lt",),
        ("test_protocol.py::test_nothing_is_sent_before_a_frame_is_whole[1]",
         "test_protocol.py::test_nothing_is_sent_before_a_frame_is_whole[3]"),
        all_but(SPLIT, LARGE, JOINED),
    ),
    Mutant(
        "close-with-unread-input", "close with input unread: a reset destroys echoes on their way", ("epoll_lt",),
        ("test_endings.py::test_input_after_an_oversize_header_is_discarded",),
    ),
    Mutant(
        "emfile-spins", "out of descriptors: accept fails, and is called again at once", ("epoll_lt", "poll_srv"),
        ("test_pitfalls_loop.py::test_asleep_with_a_peer_that_cannot_be_accepted",),
    ),
    Mutant(
        "refused-not-closed", "a descriptor leaks where an accepted peer is refused", ("epoll_lt",),
        ("test_descriptors.py::test_max_conns", "test_descriptors.py::test_out_of_descriptors_again_and_again"),
    ),
    Mutant(
        "blocking-socket", "an accepted socket is left blocking", ("epoll_lt",),
        ("test_backpressure.py::test_others_are_served_while_one_is_paused",),
    ),
    Mutant(
        "freed-in-the-batch", "a connection is freed while its second event is still to come", ("kqueue_srv",),
        ("test_batch.py::test_readable_and_writable_and_reset_in_one_wake_up[reading]",),
        sanitize="address",
    ),
    Mutant(
        "stale-event", "an event reaches the next owner of its descriptor", ("epoll_lt",),
        ("test_pitfalls_wait.py::test_no_event_reaches_the_next_owner_of_a_descriptor",),
    ),
    Mutant(
        "swap-remove-skips", "the entry that is moved into a hole is passed over", ("poll_srv",),
        ("test_batch.py::test_some_close_while_others_send[even]",),
    ),
    Mutant(
        "nfds-too-low", "select's first argument is not the highest descriptor and one", ("select_srv",),
        ("test_batch.py::test_closes_and_new_connections_in_one_wake_up[0]",),
    ),
    Mutant(
        "fd-set-beyond-fd-setsize", "FD_SET with a descriptor at or above FD_SETSIZE", ("select_srv",),
        ("test_descriptors.py::test_select_refuses_by_the_value_of_the_descriptor",),
    ),
    Mutant(
        "fd-set-not-copied", "select writes its answer over the set that asks", ("select_srv",),
        (SEVERAL,), all_but(SEVERAL),
    ),
    Mutant(
        "timeout-rounded-to-0", "the rest of a timeout is rounded down to 0", ("poll_srv", "select_srv"),
        ("test_timeouts.py::test_waiting_for_a_timeout_takes_few_wake_ups",),
    ),
    Mutant(
        "timer-restarted", "every wake-up starts the idle timer again", ("poll_srv",),
        ("test_pitfalls_loop.py::test_a_busy_peer_does_not_keep_a_silent_one",),
        (*ORDINARY, "test_timeouts.py::test_many_expire_together"),
    ),
    Mutant(
        "timer-set-at-every-wait", "the timer is set again, by a system call, for every wait", ("epoll_lt",),
        ("test_timeouts.py::test_activity_does_not_set_the_timer",),
    ),
    Mutant(
        "half-a-header-is-not-idle", "half a header keeps an idle peer's connection for ever", ("epoll_lt",),
        (r"test_timeouts.py::test_a_silent_peer_is_closed[\x00]",),
        (*ORDINARY, "test_timeouts.py::test_many_expire_together"),
    ),
    Mutant(
        "signal-lost", "a signal between check and wait is lost", ("poll_srv", "select_srv"),
        ("test_pitfalls_wait.py::test_a_signal_just_before_the_wait",),
        (),  # each ends with a signal, which may be lost, though it seldom is
    ),
    Mutant(
        "deaf-when-busy", "a loop that never sleeps hears no signal", ("poll_srv", "select_srv"),
        ("test_pitfalls_wait.py::test_a_signal_is_heard_by_a_loop_that_never_sleeps",),
        ORDINARY,
    ),
    Mutant(
        "counter-forgotten", "a counter of the statistics is forgotten at one place", ("epoll_lt",),
        ("test_counts.py::test_statistics_agree_with_strace",),
        (*ORDINARY, "test_protocol.py::test_statistics_count_frames_and_bytes"),
    ),
    Mutant(
        "kqueue-write-filter-kept", "kqueue: the write filter is never deleted", ("kqueue_srv",),
        ("test_idle.py::test_after_a_blocked_connection_was_drained",),
    ),
    Mutant(
        "kqueue-two-events", "kqueue: two events of one descriptor in a batch", ("kqueue_srv",),
        ("test_batch.py::test_readable_and_writable_and_reset_in_one_wake_up[reading]",),
    ),
)
