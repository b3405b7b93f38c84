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

# So are the tests of the HTTP server, in beyond/http/tests.
HTTP = "http"
HTTP_ORDINARY = {
    "test_http_requests.py::test_a_body_comes_back[5]": "5 bytes",
    "test_http_requests.py::test_a_body_comes_back[70000]": "70,000 bytes",
    "test_http_requests.py::test_one_byte_a_segment[length]": "one byte per segment",
    "test_http_requests.py::test_connection_close[close]": "Connection: close",
    "test_http_requests.py::test_http_1_0": "HTTP/1.0",
    "test_http_files.py::test_files_are_served[openat2]": "files",
}


# How the loops of epoll_loops may share new peers.
LISTEN_WAYS = ("handed", "reuseport", "shared", "exclusive")


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
        "spare-lost-for-good", "the spare descriptor is lost, and nobody opens it again",
        ("epoll_lt", "select_srv"),
        ("test_descriptors.py::test_a_spare_that_somebody_took",),
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
        ("test_restart.py::test_a_restart_that_fails_changes_nothing[SIGTERM]",
         "test_restart.py::test_a_restart_that_fails_changes_nothing[SIGPIPE]"),
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
    # Several loops. With --listen handed, as the ordinary tests start the server, no loop has a listener.
    Mutant(
        "loops-stop-heard-by-one", "several loops: the first loop that hears of a stop takes it for all",
        ("epoll_loops",),
        tuple(f"test_epoll_loops.py::test_a_stop_reaches_every_loop[{way}]" for way in LISTEN_WAYS),
        (),
    ),
    Mutant(
        "loops-limit-of-each", "several loops: --max-conns is a limit of each loop", ("epoll_loops",),
        # With the other two ways one loop may get all peers by chance, and then its limit is that of all.
        ("test_epoll_loops.py::test_max_conns_is_a_limit_of_the_process[handed]",
         "test_epoll_loops.py::test_max_conns_is_a_limit_of_the_process[reuseport]"),
    ),
    Mutant(
        "loops-each-refuses", "several loops: each of them refuses a peer a second when descriptors are short",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_all_loops_together_refuse_one_peer_a_second[reuseport]",),
    ),
    Mutant(
        "loops-exclusive-modified", "several loops: EPOLL_CTL_MOD of an entry with EPOLLEXCLUSIVE", ("epoll_loops",),
        ("test_epoll_loops.py::test_waiting_peers_are_served_as_loops_close_descriptors[exclusive]",),
    ),
    Mutant(
        "loops-listener-left-in-the-set", "several loops: a shared listener is closed without EPOLL_CTL_DEL",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_a_loop_that_has_closed_its_listener_hears_no_more_of_it",),
    ),
    Mutant(
        "loops-edge-forgets-peers", "several loops: an edge-triggered listener, and a loop that does not accept all",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_many_peers_in_one_wake_up[reuseport]",
         "test_epoll_loops.py::test_many_peers_in_one_wake_up[exclusive]"),
    ),
    Mutant(
        "loops-listener-without-a-loop", "several loops: SO_REUSEPORT has a listener that no loop accepts from",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_every_peer_is_served[reuseport]",),
    ),
    Mutant(
        "loops-one-listener-closed", "several loops: one of the listeners of SO_REUSEPORT is closed with peers queued",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_waiting_peers_are_served_as_loops_close_descriptors[reuseport]",),
    ),
    Mutant(
        "loops-leave-with-a-wake-up", "several loops: a loop that was woken for a peer leaves without accepting",
        ("epoll_loops",),
        ("test_epoll_loops.py::test_a_loop_that_leaves_has_been_woken_for_a_peer[exclusive]",),
    ),
    Mutant(
        "loops-closed-under-a-copy", "several loops: a connection is closed while a child has a copy of its descriptor",
        ("epoll_loops",),
        tuple(f"test_epoll_loops.py::test_what_ends_while_the_process_has_a_copy[{way}]"
              for way in ("handed", "shared", "exclusive")),
    ),
    Mutant(
        "tls-pending-forgotten", "TLS: bytes that OpenSSL holds already wait for an event", ("tls",),
        tuple(f"test_tls.py::test_bytes_that_openssl_holds[{size}-{how}]"
              for size in (5000, 16000) for how in ("level", "edge")),
        all_but(LARGE),
    ),
    Mutant(
        "tls-retry-from-a-moved-buffer", "TLS: a write is repeated from another address", ("tls",),
        ("test_tls.py::test_output_that_waits_is_sent_from_where_it_is_then[level]",
         "test_tls.py::test_output_that_waits_is_sent_from_where_it_is_then[edge]"),
        all_but(LARGE),
    ),
    Mutant(
        "tls-interest-by-direction", "TLS: a read that has to send waits for input", ("tls",),
        ("test_tls.py::test_a_handshake_that_waits_for_room[level]",
         "test_tls.py::test_a_handshake_that_waits_for_room[edge]"),
    ),
    Mutant(
        "tls-error-queue-left", "TLS: an error of one session is found by the next one", ("tls",),
        ("test_tls.py::test_an_error_of_one_session_is_not_taken_for_one_of_another[level]",
         "test_tls.py::test_an_error_of_one_session_is_not_taken_for_one_of_another[edge]"),
    ),
    Mutant(
        "tls-reset-for-close-notify", "TLS: a close with input unread destroys close_notify", ("tls",),
        ("test_tls.py::test_close_notify_arrives_though_input_is_unread[level]",
         "test_tls.py::test_close_notify_arrives_though_input_is_unread[edge]"),
    ),
    Mutant(
        "tls-no-handshake-timeout", "TLS: a handshake may take for ever", ("tls",),
        tuple(f"test_tls.py::test_a_handshake_takes_no_longer_than_its_timeout[{sends}-{how}]"
              for sends in ("silent", "begun") for how in ("level", "edge")),
    ),
    Mutant(
        "tls-fin-is-an-end", "TLS: FIN, which anybody can forge, is taken for the end", ("tls",),
        tuple(f"test_tls.py::test_fin_without_close_notify_is_a_truncation[{size}-{how}]"
              for size in (100, 100_000) for how in ("level", "edge")),
    ),
    # Where threads share connections, an ordinary test may pass or fail: it depends on which thread is faster.
    Mutant(
        "oneshot-armed-too-early", "one-shot: a descriptor is armed before its turn is over", ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_a_connection_is_armed_when_its_turn_is_over",),
        (),
    ),
    Mutant(
        "oneshot-left-out", "several threads, and EPOLLONESHOT is left out", ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_one_event_at_a_time",),
        (),
    ),
    Mutant(
        "oneshot-never-again", "one-shot: a descriptor is not armed again", ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_the_second_message_is_answered_too",),
        (SMALL, EMPTY),
    ),
    Mutant(
        "expiry-during-a-turn", "a timeout ends a connection that another thread is serving", ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_no_timeout_ends_a_turn",),
        (),
    ),
    Mutant(
        "event-without-a-number", "an event that was fetched before a close reaches the next connection",
        ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_a_late_event_reaches_nobody",),
    ),
    Mutant(
        "one-worker-woken-at-the-end", "at the end one of the sleeping threads is woken, not all", ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_all_workers_end[dispatcher]",),
        ("test_pitfalls_threads.py::test_all_workers_end[shared]",),
    ),
    Mutant(
        "loop-not-told-of-a-close", "a thread ends a connection, and the one that must close it sleeps on",
        ("epoll_oneshot",),
        ("test_pitfalls_threads.py::test_the_last_close_ends_a_stop[dispatcher]",
         "test_pitfalls_threads.py::test_the_last_close_ends_a_stop[shared]"),
        all_but(END),
    ),
    Mutant(
        "turn-without-a-budget", "one-shot: one connection is read until it is empty", ("epoll_oneshot",),
        ("test_fairness.py::test_a_flooder_does_not_starve_a_quiet_peer",),
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
    Mutant(
        "http-length-and-chunked", "HTTP: a request with a length and chunked is taken", (HTTP,),
        ("test_http_framing.py::test_is_refused_and_the_connection_ends[length, then chunked]",
         "test_http_framing.py::test_is_refused_and_the_connection_ends[chunked, then length]"),
        tuple(HTTP_ORDINARY),
    ),
    Mutant(
        "http-pipelined-forgotten", "HTTP: a request that came in the same read as another is forgotten", (HTTP,),
        ("test_http_requests.py::test_pipelined_requests_are_answered_in_order",
         "test_http_requests.py::test_a_request_that_comes_in_one_segment_with_the_end_of_a_body"),
        tuple(HTTP_ORDINARY),
    ),
    Mutant(
        "http-held-requests", "HTTP: requests behind a file are taken up only when more bytes come", (HTTP,),
        ("test_http_files.py::test_many_pipelined_files",),
        (*HTTP_ORDINARY, "test_http_requests.py::test_pipelined_requests_are_answered_in_order"),
    ),
    Mutant(
        "http-sendfile-short", "HTTP: a short count of sendfile is taken for the end of the file", (HTTP,),
        ("test_http_files.py::test_a_large_file_is_never_in_memory",),
        tuple(HTTP_ORDINARY),
    ),
    Mutant(
        "http-keep-alive-after-error", "HTTP: a connection goes on behind a request with broken framing", (HTTP,),
        ("test_http_framing.py::test_is_refused_and_the_connection_ends[two lengths that differ]",
         "test_http_framing.py::test_is_refused_and_the_connection_ends[chunk longer than its size]"),
        tuple(HTTP_ORDINARY),
    ),
    Mutant(
        "http-path-traversal", "HTTP: a path or a link leads out of the directory that is served", (HTTP,),
        ("test_http_files.py::test_nothing_outside_is_served[openat2-/../secret]",
         "test_http_files.py::test_nothing_outside_is_served[openat2-/%2e%2e/secret]",
         "test_http_files.py::test_nothing_outside_is_served[openat2-/out]"),
        tuple(HTTP_ORDINARY),
    ),
    Mutant(
        "http-slow-header", "HTTP: each byte of a request's head begins its timeout again", (HTTP,),
        ("test_http_timeouts.py::test_a_head_that_comes_byte_by_byte",),
        (*HTTP_ORDINARY, r"test_http_timeouts.py::test_a_head_that_does_not_come_whole[G]"),
    ),
    Mutant(
        "uring-close-keeps-the-receive", "completion: a connection is closed with a receive armed", ("uring",),
        ("test_completion.py::test_closed_connections_are_gone_for_the_kernel_too",),
    ),
    Mutant(
        "uring-freed-before-its-completion", "completion: a connection is freed before its last completion", ("uring",),
        ("test_completion.py::test_closed_connections_are_gone_for_the_kernel_too",),
        sanitize="address",
    ),
    Mutant(
        "uring-two-sends-at-once", "completion: two sends of one connection are in flight", ("uring",),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
        (SMALL, EMPTY, SPLIT, SEVERAL),
    ),
    Mutant(
        "uring-multishot-ends-unnoticed", "completion: a multishot receive that found no buffer is taken for armed",
        ("uring",),
        ("test_completion.py::test_more_input_at_once_than_there_are_landings",),
    ),
    Mutant(
        "uring-accept-armed-at-once", "completion: an accept that found no descriptor is armed again at once",
        ("uring",),
        ("test_completion.py::test_asleep_with_a_full_table",),
    ),
    Mutant(
        "uring-pause-without-cancel", "completion: reading pauses, and the receive stays armed", ("uring",),
        ("test_backpressure.py::test_what_a_server_holds_for_a_peer_that_does_not_read",),
    ),
    Mutant(
        "uring-closed-listener-accepts", "completion: the listener is closed with its accept armed", ("uring",),
        ("test_signals.py::test_a_stop_accepts_no_more",),
    ),
    Mutant(
        "uring-short-send-taken-for-whole", "completion: a send's result is taken for granted", ("uring",),
        ("test_backpressure.py::test_everything_comes_once_the_peer_reads",),
        all_but(LARGE),
    ),
)
