"""The planted bugs. Each has a patch in this directory and a page in docs/pitfalls/, both under its name."""

from __future__ import annotations

from dataclasses import dataclass

# What most people would try by hand, and what most test suites have: echoes, and an orderly end.
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
    SPLIT: "one byte per segment",
    SEVERAL: "50 connections",
    END: "half-close",
}


# A bug can be planted in the load generator too. Its tests are in harness/loadgen/tests, and there is no server in
# their names.
LOADGEN = "loadgen"
LOADGEN_ORDINARY = {
    "test_loadgen_runs.py::test_rate_and_connections_are_exact": "an exact rate",
    "test_loadgen_runs.py::test_interrupted_run_is_unstable_and_says_what_it_found": "a run, and Ctrl-C",
    "test_loadgen_faults.py::test_fault_has_its_name[64-corrupts_a_byte]": "a corrupted byte",
    "test_loadgen_faults.py::test_peer_that_refuses": "a refusal",
    "test_loadgen_faults.py::test_peer_that_stalls_is_not_steady_and_no_request_is_left_out": "a stall",
    "test_loadgen_faults.py::test_peer_that_falls_silent_leaves_requests_unanswered": "silence",
}


@dataclass(frozen=True)
class Mutant:
    """One planted bug. The tests in `named` must fail on every server of `servers`; those in `blind` must pass in spite
    of the bug. A test that may pass or fail is in neither. The name of a test leaves out the server."""

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
        "edge-reads-once", "edge-triggered: only one read for each event", ("epoll_et",),
        ("test_endings.py::test_data_of_several_reads_and_end_in_one_wake_up",),
        all_but(LARGE, JOINED, END),
    ),
    Mutant(
        "edge-accepts-once", "edge-triggered: only one accept for each event", ("epoll_et",),
        ("test_batch.py::test_many_connect_in_one_wake_up",),
        all_but(SEVERAL),
    ),
    Mutant(
        "edge-forgets-waiting-peers", "edge-triggered: peers that the accept budget leaves waiting are forgotten",
        ("epoll_et",),
        ("test_batch.py::test_many_connect_in_one_wake_up",),
    ),
    Mutant(
        "edge-budget-without-ready-list", "edge-triggered: the read budget runs out, and nobody queues the connection",
        ("epoll_et",),
        ("test_pitfalls_loop.py::test_more_waits_than_a_turn_reads",),
        all_but(LARGE, JOINED),
    ),
    Mutant(
        "edge-forgets-after-pause", "edge-triggered: input that arrived during a pause is forgotten", ("epoll_et",),
        ("test_backpressure.py::test_resumes_when_nothing_new_comes",),
    ),
    Mutant(
        "edge-sleeps-on-queued-work", "edge-triggered: the wait sleeps although connections are queued", ("epoll_et",),
        ("test_pitfalls_loop.py::test_more_waits_than_a_turn_reads",),
        all_but(LARGE, JOINED),
    ),
    Mutant(
        "edge-never-told-of-room", "edge-triggered: EPOLLOUT is not registered", ("epoll_et",),
        ("test_backpressure.py::test_resumes_when_nothing_new_comes",),
        all_but(LARGE),
    ),
    Mutant(
        "edge-reads-without-budget", "edge-triggered: one connection is read until it is empty", ("epoll_et",),
        ("test_fairness.py::test_a_flooder_does_not_starve_a_quiet_peer",),
    ),
    Mutant(
        "edge-short-read-hides-the-end", "edge-triggered: a short read is taken for the last one after a hang-up",
        ("epoll_et",),
        ("test_endings.py::test_data_and_end_in_one_wake_up[64]",),
        all_but(END),
    ),
    Mutant(
        "urgent-byte-ends-the-read", "edge-triggered: a read that an urgent byte ended is taken for the last one",
        ("epoll_et",),
        ("test_endings.py::test_an_urgent_byte_ends_no_read",),
    ),
    Mutant(
        "write-interest-always-on", "write interest is always on",
        ("epoll_lt", "poll_srv", "select_srv", "kqueue_srv"),
        ("test_idle.py::test_with_connections_that_have_been_served",),
    ),
    Mutant(
        "write-interest-never-again", "write interest is not switched on after a short write",
        ("epoll_lt", "select_srv"),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
        all_but(LARGE),
    ),
    Mutant(
        "waits-before-it-writes", "an echo waits until the API reports that its socket is writable",
        ("epoll_lt", "poll_srv"),
        ("test_counts.py::test_one_read_and_one_write_a_message",),
    ),
    Mutant(
        "close-at-hangup", "a hang-up event (EPOLLRDHUP, EV_EOF) is treated as the end of the input",
        ("epoll_et", "kqueue_srv"),
        ("test_endings.py::test_data_and_end_in_one_wake_up[64]",
         "test_endings.py::test_data_and_end_before_the_accept"),
        all_but(END),
    ),
    Mutant(
        "read-without-room", "a read into a full buffer returns 0, which is treated as the end of the input",
        ("epoll_lt",),
        ("test_protocol.py::test_echoes_a_frame_of_any_size[200000]", LARGE),
        all_but(LARGE),
    ),
    Mutant(
        "short-write-drops-the-rest", "a short write is treated as a complete one", ("epoll_lt", "epoll_et"),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",
         "test_endings.py::test_everything_pending_is_sent_after_the_end"),
        all_but(LARGE),
    ),
    Mutant(
        "eintr-in-the-wait", "EINTR from the wait is treated as an error", ("epoll_lt",),
        ("test_signals.py::test_stopping_and_continuing_the_process_disturbs_nobody",),
    ),
    Mutant(
        "eintr-in-a-call", "EINTR from recv and send is treated as an error", ("epoll_lt",),
        ("test_pitfalls_calls.py::test_every_second_recv_and_send_is_refused[EINTR]",),
    ),
    Mutant(
        "eagain-is-an-error", "EAGAIN is treated as an error", ("poll_srv",),
        ("test_pitfalls_calls.py::test_every_second_recv_and_send_is_refused[EAGAIN]",),
    ),
    Mutant(
        "sigpipe-is-fatal", "SIGPIPE kills the server", ("epoll_lt",),
        ("test_pitfalls_loop.py::test_no_sigpipe_with_output_pending_after_the_end",),
        (*ORDINARY, "test_signals.py::test_no_sigpipe"),
    ),
    Mutant(
        "unbounded-output", "output for a peer that does not read grows without limit", ("epoll_lt",),
        ("test_backpressure.py::test_reading_stops_at_the_high_water_mark",),
    ),
    Mutant(
        "never-resumes", "a high-water mark without a low-water mark: reading never resumes", ("poll_srv",),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
    ),
    Mutant(
        "length-in-host-order", "the frame length is read in host byte order", ("select_srv",),
        (SMALL,), ("test_protocol.py::test_echoes_a_frame_of_any_size[0]",),
    ),
    Mutant(
        "length-not-limited", "the frame length is not limited", ("epoll_lt",),
        ("test_protocol.py::test_max_frame_is_the_largest_payload",
         "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967295]"),
    ),
    Mutant(
        "length-wraps-at-32-bits", "header size and length are added in 32 bits", ("epoll_lt",),
        ("test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967292]",
         "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[4294967295]"),
        (*ORDINARY, "test_endings.py::test_oversize_is_refused_after_the_earlier_echoes[2147483648]"),
    ),
    Mutant(
        "partial-header-lost", "the first bytes of a split header are lost", ("epoll_lt",),
        ("test_protocol.py::test_nothing_is_sent_before_a_frame_is_whole[1]",
         "test_protocol.py::test_nothing_is_sent_before_a_frame_is_whole[3]"),
        all_but(SPLIT, LARGE, JOINED),
    ),
    Mutant(
        "close-with-unread-input", "close with unread input sends a reset, which destroys echoes on their way",
        ("epoll_lt",),
        ("test_endings.py::test_input_after_an_oversize_header_is_discarded",),
    ),
    Mutant(
        "emfile-spins", "out of descriptors: accept fails and is called again at once", ("epoll_lt", "poll_srv"),
        ("test_pitfalls_loop.py::test_asleep_with_a_peer_that_cannot_be_accepted",),
    ),
    Mutant(
        "listener-does-not-rest", "out of descriptors: one peer is refused, and the listener stays watched",
        ("epoll_lt", "poll_srv"),
        ("test_descriptors.py::test_asleep_while_out_of_descriptors",),
    ),
    Mutant(
        "free-descriptor-unnoticed", "a descriptor is free again, and the listener goes on resting",
        ("poll_srv", "select_srv"),
        ("test_descriptors.py::test_a_free_descriptor_is_used_at_once",),
    ),
    Mutant(
        "refused-not-closed", "the descriptor of a refused peer is not closed", ("epoll_lt",),
        ("test_descriptors.py::test_max_conns", "test_descriptors.py::test_out_of_descriptors_again_and_again"),
    ),
    Mutant(
        "blocking-socket", "an accepted socket stays blocking", ("epoll_lt",),
        ("test_backpressure.py::test_others_are_served_while_one_is_paused",),
    ),
    Mutant(
        "freed-in-the-batch", "a connection is freed while the batch still has an event for it", ("kqueue_srv",),
        ("test_batch.py::test_readable_and_writable_and_reset_in_one_wake_up[reading]",),
        sanitize="address",
    ),
    Mutant(
        "stale-event", "an event reaches the next owner of the same descriptor number", ("epoll_lt",),
        ("test_pitfalls_wait.py::test_no_event_reaches_the_next_owner_of_a_descriptor",),
    ),
    Mutant(
        "swap-remove-skips", "the entry that moves into the gap is skipped", ("poll_srv",),
        ("test_batch.py::test_some_close_while_others_send[even]",),
    ),
    Mutant(
        "nfds-too-low", "select's first argument is not the highest descriptor plus one", ("select_srv",),
        ("test_batch.py::test_closes_and_new_connections_in_one_wake_up[0]",),
    ),
    Mutant(
        "fd-set-beyond-fd-setsize", "FD_SET is called with a descriptor of FD_SETSIZE or more", ("select_srv",),
        ("test_descriptors.py::test_select_refuses_by_the_value_of_the_descriptor",),
    ),
    Mutant(
        "fd-set-not-copied", "select overwrites the set of interest, and there is no copy of it", ("select_srv",),
        (SEVERAL,), all_but(SEVERAL),
    ),
    Mutant(
        "timeout-rounded-to-0", "the remaining time of a timeout is rounded down to 0",
        ("poll_srv", "select_srv", "kqueue_srv"),
        ("test_timeouts.py::test_waiting_for_a_timeout_takes_few_wake_ups",),
    ),
    Mutant(
        "timer-restarted", "every wake-up restarts the idle timer", ("poll_srv",),
        ("test_pitfalls_loop.py::test_a_busy_peer_does_not_keep_a_silent_one",),
        (*ORDINARY, "test_timeouts.py::test_many_expire_together"),
    ),
    Mutant(
        "timer-set-at-every-wait", "the timer is set with a system call before every wait", ("epoll_lt",),
        ("test_timeouts.py::test_activity_does_not_set_the_timer",),
    ),
    Mutant(
        "timer-not-set-again", "a timer that fired too early is not set again", ("epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_timeouts.py::test_a_peer_that_sends_is_kept_while_a_silent_one_goes[talking]",),
    ),
    Mutant(
        "half-a-header-is-not-idle", "a peer that has sent half a header is never closed as idle", ("epoll_lt",),
        (r"test_timeouts.py::test_a_silent_peer_is_closed[\x00]",),
        (*ORDINARY, "test_timeouts.py::test_many_expire_together"),
    ),
    Mutant(
        "expiry-before-data", "a timeout ends a connection before what has arrived is read",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_pitfalls_wait.py::test_input_that_comes_before_the_expiry",),
    ),
    Mutant(
        "hidden-progress", "a slow reader is closed as idle, because its bytes move in the kernel only",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_timeouts.py::test_a_slow_but_steady_reader_is_not_idle",),
    ),
    Mutant(
        "signal-lost", "a signal between the check and the wait is lost", ("poll_srv", "select_srv"),
        ("test_pitfalls_wait.py::test_a_signal_just_before_the_wait",),
        (),  # every ordinary test ends its server with a signal, and this bug may lose it, though rarely
    ),
    Mutant(
        "deaf-when-busy", "a loop that never sleeps never receives a signal", ("poll_srv", "select_srv"),
        ("test_pitfalls_wait.py::test_a_signal_is_heard_by_a_loop_that_never_sleeps",),
        tuple(ORDINARY),
    ),
    Mutant(
        "no-last-read-at-stop", "a stop does not read what came after the last wait",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_pitfalls_wait.py::test_input_that_comes_after_the_last_wait",),
    ),
    Mutant(
        "last-turn-reads-a-part", "before a stop the server reads once, and more has come than one read takes",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_pitfalls_wait.py::test_all_that_comes_after_the_last_wait[urgent byte]",),
    ),
    Mutant(
        "listener-left-in-epoll", "a listener that another process has open is closed and stays in the epoll set",
        ("epoll_lt", "epoll_et"),
        ("test_restart.py::test_the_old_server_hears_no_more_of_the_listener",),
        (*ORDINARY, "test_restart.py::test_a_restart_keeps_old_peers_and_serves_new_ones"),
    ),
    Mutant(
        "restart-stops-accepting-first", "a restart stops accepting before the new program listens",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_restart.py::test_while_the_new_program_starts",
         "test_restart.py::test_a_restart_that_fails_changes_nothing[ends]"),
        (*ORDINARY, "test_restart.py::test_a_restart_keeps_old_peers_and_serves_new_ones"),
    ),
    Mutant(
        "restart-ends-old-connections", "the old server ends its connections as soon as the new one listens",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_restart.py::test_a_restart_keeps_old_peers_and_serves_new_ones",),
    ),
    Mutant(
        "restart-runs-the-old-program", "a restart starts the file that runs already, not the new one of that name",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_restart.py::test_a_restart_that_fails_changes_nothing[ends]",
         "test_restart.py::test_while_the_new_program_starts"),
        (*ORDINARY, "test_restart.py::test_a_restart_keeps_old_peers_and_serves_new_ones"),
    ),
    Mutant(
        "signals-blocked-in-the-new-program", "a program is started with the signals blocked that its parent blocks",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_restart.py::test_a_stop_while_the_new_program_starts_stops_both",),
        (*ORDINARY, "test_restart.py::test_the_tenth_process_is_like_the_first"),
    ),
    Mutant(
        "restart-truncates-statistics", "the new server empties the file that the old one will write to",
        ("epoll_lt",),
        ("test_restart.py::test_each_process_writes_its_own_statistics",),
    ),
    Mutant(
        "listen-pid-not-checked", "LISTEN_FDS is used by a process that it is not meant for",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_restart.py::test_a_listener_for_another_process_is_ignored[1]",),
        (*ORDINARY, "test_restart.py::test_takes_a_listener_over"),
    ),
    Mutant(
        "inherited-listener-as-it-comes", "an inherited listener is used without the options that ours has",
        ("epoll_lt", "poll_srv"),
        ("test_restart.py::test_an_inherited_listener_is_made_like_our_own",),
        (*ORDINARY, "test_restart.py::test_takes_a_listener_over"),
    ),
    Mutant(
        "counter-forgotten", "one way out of a call does not update the statistics", ("epoll_lt",),
        ("test_counts.py::test_statistics_agree_with_strace",),
        (*ORDINARY, "test_protocol.py::test_statistics_count_frames_and_bytes"),
    ),
    Mutant(
        "log-that-blocks", "a line on standard error waits for a reader that has stopped reading",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_inherited.py::test_a_log_that_nobody_reads_stops_nobody[SIGUSR1]",
         "test_inherited.py::test_statistics_that_nobody_reads_do_not_hold_up_the_end"),
    ),
    Mutant(
        "freed-memory-goes-back", "freed memory goes back to the kernel, and the next buffer needs new pages",
        ("select_srv", "poll_srv", "epoll_lt", "epoll_et", "kqueue_srv"),
        ("test_memory.py::test_large_frames_need_no_new_pages[several times as much]",),
    ),
    Mutant(
        "kqueue-write-filter-kept", "kqueue: the write filter is never deleted", ("kqueue_srv",),
        ("test_idle.py::test_after_a_blocked_connection_was_drained",),
    ),
    Mutant(
        "kqueue-add-does-not-enable", "kqueue: EV_ADD is taken to enable a filter that is disabled", ("kqueue_srv",),
        ("test_backpressure.py::test_resumes_when_nothing_new_comes",
         "test_backpressure.py::test_everything_comes_once_the_peer_reads"),
        all_but(LARGE),
    ),
    Mutant(
        "kqueue-two-events", "kqueue: one batch has two events for one descriptor", ("kqueue_srv",),
        ("test_batch.py::test_readable_and_writable_and_reset_in_one_wake_up[reading]",),
    ),
    Mutant(
        "self-connect", "a connection to itself is taken for one to a server", (LOADGEN,),
        ("test_loadgen_contact.py::test_no_server_but_itself[127.0.0.1]",),
        tuple(LOADGEN_ORDINARY),
    ),
    Mutant(
        "survivors-only", "the times are those of the answered requests alone", (LOADGEN,),
        (
            "test_loadgen_unanswered.py::test_in_a_closed_loop", "test_loadgen_unanswered.py::test_in_hgrm",
            "test_loadgen_unanswered.py::test_in_csv",
        ),
        tuple(LOADGEN_ORDINARY),
    ),
)
