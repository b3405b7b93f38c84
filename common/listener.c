#include "listener.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Long enough that a server without descriptors sleeps; short enough that peers do not give up. */
static const uint64_t rest_ns = NANOSECONDS_A_SECOND;

/* A descriptor that is kept to be given up: see out_of_descriptors(). Any would do. This one can be
 * opened on every system and takes little memory in the kernel. */
static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* O_NONBLOCK is a flag of the open file, which every duplicate of the descriptor shares. FD_CLOEXEC
 * is a flag of the descriptor alone. So there are two pairs of commands (fcntl(2)). F_SETFL sets
 * all flags of the open file, so they are read first. */
static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Numeric addresses only: a name would need the resolver, which may wait for a network that is not
 * up yet. getaddrinfo(3) still does the reading, because it knows both families and the zone of
 * fe80::1%eth0. With AI_NUMERICHOST it asks nobody, so it cannot block. */
static struct addrinfo *resolve(const struct options *options, struct error *error)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
    };
    struct addrinfo *found = NULL;
    char port[8];
    char bare[ADDRESS_BYTES];

    (void)snprintf(port, sizeof port, "%u", (unsigned)options->port);
    int result = getaddrinfo(address_without_brackets(options->bind, bare), port, &hints, &found);
    if (result != 0) {
        (void)snprintf(error->text, sizeof error->text, "--bind %s: not a numeric address: %s",
                       options->bind, gai_strerror(result));
        return NULL;
    }
    return found;
}

/* Accepted sockets inherit both options (UNP volume 1, 7.4), which saves two calls a connection.
 * TCP_NODELAY: with Nagle's algorithm a small echo would wait until the one before it is
 * acknowledged. The peer's kernel may delay that acknowledgement, on Linux by 40 ms and more. So
 * two small messages in a row would take that long.
 * SO_KEEPALIVE: without probes the kernel never learns that a silent peer has vanished (RFC 1122,
 * 4.2.3.6). Linux sends the first one after two hours of silence (tcp(7), tcp_keepalive_time). */
static int set_inherited_options(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* IPV6_V6ONLY: without it a socket bound to :: takes IPv4 peers too on Linux, and none on OpenBSD.
 * The listener must not block either. On the BSDs a peer that resets before it is accepted leaves
 * an empty queue behind, and on every system another process may share the listener and accept
 * first. A blocking accept(2) would then stop the whole server (UNP volume 1, 16.6).
 *
 * listen(2): from here on the kernel answers SYNs and completes handshakes alone. It queues the
 * connections that accept(2) takes out. Linux cuts the backlog to net.core.somaxconn and does not
 * say so (listen(2); 4096, and 128 before Linux 5.4). When the queue is full, Linux drops new SYNs.
 * The peer's kernel repeats them after a second or more: connect(2) is slow, and has no error. */
static int bind_and_listen(int fd, const struct addrinfo *where, const struct options *options,
                           struct error *error)
{
    char name[ADDRESS_BYTES];
    int on = 1;

    (void)address_name(where->ai_addr, where->ai_addrlen, name);
    /* Connections of a server that has just stopped stay in TIME_WAIT for a minute. Without this
     * option bind(2) would fail until then. With it Linux still refuses a port on which another
     * socket listens (socket(7)). */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return error_set(error, "setsockopt SO_REUSEADDR", name, errno);
    if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return error_set(error, "setsockopt SO_REUSEPORT", name, errno);
    if (where->ai_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return error_set(error, "setsockopt IPV6_V6ONLY", name, errno);
    if (set_inherited_options(fd) < 0)
        return error_set(error, "setsockopt", name, errno);
    if (make_nonblocking(fd) < 0)
        return error_set(error, "fcntl", name, errno);
    if (bind(fd, where->ai_addr, where->ai_addrlen) < 0)
        return error_set(error, "bind", name, errno);
    if (listen(fd, options->backlog) < 0)
        return error_set(error, "listen", name, errno);
    return 0;
}

static const char inherited_name[] = "inherited listening socket"; /* in messages */

/* A numeric address has one result, so there is no second one to try when the first fails. After a
 * failure the caller closes what is open. */
static int listen_anew(struct listener *listener, const struct options *options,
                       struct error *error)
{
    struct addrinfo *where = resolve(options, error);

    if (where == NULL)
        return -1;
    listener->watch.fd = socket(where->ai_family, where->ai_socktype, where->ai_protocol);
    int result = listener->watch.fd < 0
                     ? error_set(error, "socket", options->bind, errno)
                     : bind_and_listen(listener->watch.fd, where, options, error);
    freeaddrinfo(where);
    return result;
}

/* Descriptor 3 can be anything, or nothing, if somebody has set the variables by hand.
 * SO_ACCEPTCONN says whether it listens, SO_TYPE whether it carries a stream (socket(7)). A system
 * that does not know the first (ENOPROTOOPT) gets the benefit of the doubt. */
static bool listens_on_tcp(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address, type_size = sizeof(int), listens_size = sizeof(int);
    int type = 0, listens = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) < 0)
        listens = errno == ENOPROTOOPT;
    return listens && type == SOCK_STREAM &&
           (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

/* It is bound, and the kernel queues peers for it. Whoever opened it may not have set what a server
 * needs. Options and O_NONBLOCK belong to the socket, so they hold for the other process, too: a
 * server like this one, or a supervisor that does not accept. */
static int take_over(struct listener *listener, int fd, struct error *error)
{
    listener->watch.fd = fd;
    if (!listens_on_tcp(fd)) {
        (void)snprintf(error->text, sizeof error->text,
                       "LISTEN_FDS: descriptor %d is not a listening TCP socket", fd);
        return -1;
    }
    if (set_inherited_options(fd) < 0)
        return error_set(error, "setsockopt", inherited_name, errno);
    return make_nonblocking(fd) < 0 ? error_set(error, "fcntl", inherited_name, errno) : 0;
}

/* A restart leaves the listener open in two processes for a while, and a supervisor keeps it open
 * always. Everything below holds for such a listener, too: another process may accept first.
 *
 * getsockname(2) after bind(2): with --port 0 only the kernel knows the port. The spare is opened
 * now, while there are descriptors. When they run out it is too late to open one. */
int listener_open(struct listener *listener, const struct options *options, int inherited,
                  struct error *error)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    *listener = (struct listener){.watch = {.fd = -1, .of_service = true}, .spare = -1};
    int result = inherited >= 0 ? take_over(listener, inherited, error)
                                : listen_anew(listener, options, error);
    if (result == 0 && getsockname(listener->watch.fd, (struct sockaddr *)&address, &size) < 0)
        result =
            error_set(error, "getsockname", inherited >= 0 ? inherited_name : options->bind, errno);
    if (result == 0) {
        listener->spare = open_spare();
        if (listener->spare < 0)
            result = error_set(error, "open", "/dev/null", errno);
    }
    if (result < 0)
        listener_close(listener);
    else
        (void)address_name((struct sockaddr *)&address, size, listener->address);
    return result;
}

/* If no other process has it open, the kernel resets the peers that still wait in the queue: nobody
 * will ever serve them. A peer that connects from now on gets a reset for its SYN, which it sees as
 * ECONNREFUSED. If another process has it open, that one has the queue, and no peer notices. */
void listener_close(struct listener *listener)
{
    if (listener->watch.fd >= 0)
        (void)close(listener->watch.fd);
    listener->watch.fd = -1;
    listener_keep_no_spare(listener);
}

/* The slot that this frees is of use: listener_accept() can accept one peer more. */
void listener_keep_no_spare(struct listener *listener)
{
    if (listener->spare >= 0)
        (void)close(listener->spare);
    listener->spare = -1;
}

/* A level-triggered API reports nothing while the interest is empty. An edge-triggered one has no
 * interest to change, and may report a new peer. So the loop asks this before it accepts, too. */
unsigned listener_wants(const struct listener *listener)
{
    return listener->resting_until_ns == 0 ? READABLE : NOTHING;
}

/* accept(2) takes the oldest connection out of the kernel's queue and gives it the lowest free
 * number. It sends nothing: the peer does not notice. The two NULLs say that the peer's address is
 * not wanted, which saves copying it out; a log line asks for it by getpeername(2).
 *
 * The accepted socket must not block: between the wait and a call its readiness can be gone again.
 * accept4(2) sets the flag in the same call. macOS has no accept4. Linux gives no flag of the
 * listener to the accepted socket. The BSDs give O_NONBLOCK. So set it, and rely on neither. */
static int accept_nonblocking(int listening)
{
#ifdef __APPLE__
    int fd = accept(listening, NULL, NULL);
    if (fd >= 0 && make_nonblocking(fd) < 0) {
        (void)close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    return fd;
#else
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#endif
}

/* The peer left before it was accepted, or the network has an error pending for it, which Linux
 * hands to accept (accept(2), "Error handling"). That says nothing about the next peer in the
 * queue: accept that one. A server that exits here, as many examples in books do, can be stopped by
 * any peer that connects and resets. */
static bool peers_own_error(int number)
{
    switch (number) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
#ifdef ENONET
    case ENONET:
#endif
        return true;
    default:
        return false;
    }
}

/* Out of descriptors (EMFILE: this process; ENFILE: the whole system), accept(2) fails. The peer
 * stays at the head of the queue. A level-triggered API reports the listener again at once, and the
 * server would spin. So the listener rests, and wants nothing from the API.
 *
 * Closing the spare frees a slot: accept one peer and close it, so that it sees a refusal. The
 * other peers keep their place in the queue, and are served when a connection ends. So at most one
 * peer is refused in the time of a rest. Test: test_descriptors.py */
static enum accept_result out_of_descriptors(struct listener *listener, struct stats *stats,
                                             int number, uint64_t now_ns)
{
    listener_rest(listener);
    if (listener->spare < 0 || now_ns < clock_after(listener->spare_used_ns, rest_ns))
        return ACCEPT_EXHAUSTED;
    (void)close(listener->spare);
    stats->accepts++;
    int fd = accept(listener->watch.fd, NULL, NULL);
    bool nobody_waits = fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (fd >= 0) {
        listener_refuse(listener, stats, fd, strerror(number), now_ns);
        listener->spare_used_ns = clock_now();
        listener_rest(listener); /* anew: the next refusal is due at its end, not later */
    }
    /* This fails when somebody else took the slot: another thread, or another process (ENFILE).
     * Then there is no spare until listener_accept() can open one. */
    listener->spare = open_spare();
    if (!nobody_waits)
        return ACCEPT_EXHAUSTED;
    /* Linux looks for a free descriptor first, and for a peer after it. So EMFILE alone does not
     * mean that somebody waits. With an empty queue there is no reason to rest. */
    stats->would_block++;
    listener_wake(listener);
    return ACCEPT_WOULD_BLOCK;
}

/* A peer's own error costs that peer only: the loop goes on to the next one. The loop ends, because
 * each round takes a peer out of a queue of limited length. Any error that is not a peer's own is
 * taken for a lack of descriptors or memory (ENOBUFS, ENOMEM), so an unknown one cannot make the
 * server spin, nor stop it. */
enum accept_result listener_accept(struct listener *listener, struct stats *stats, uint64_t now_ns,
                                   int *fd)
{
    do {
        stats->accepts++;
        *fd = accept_nonblocking(listener->watch.fd);
    } while (*fd < 0 && peers_own_error(errno));

    if (*fd >= 0)
        return ACCEPT_DONE;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        stats->would_block++;
        if (listener->spare < 0) /* lost, and nobody waits who needs a descriptor more */
            listener->spare = open_spare();
        return ACCEPT_WOULD_BLOCK;
    }
    return out_of_descriptors(listener, stats, errno, now_ns);
}

/* The peer sees the end of the stream, or a reset if bytes from it have arrived: nobody has read
 * them. Its descriptor is closed at once and not at the end of the wake-up, because it was never
 * watched: no event names it. The log line comes first, while the kernel still knows the peer.
 *
 * A run of refusals has one line, because its lines would all say the same. How many runs have a
 * line is limited by log_line. Test: test_failing_calls.py */
void listener_refuse(struct listener *listener, struct stats *stats, int fd, const char *reason,
                     uint64_t now_ns)
{
    char peer[ADDRESS_BYTES];

    stats->refused++;
    if (!listener->refusing) {
        log_line(&listener->log, now_ns, stats,
                 "%s: refused, as more will be until connections end: %s",
                 address_of_peer(fd, peer), reason);
        listener->refusing = true;
    }
    (void)close(fd);
}

/* The next refusal begins a new run, with a log line of its own. */
void listener_admit(struct listener *listener, struct stats *stats)
{
    stats->accepted++;
    listener->refusing = false;
}

/* Counted from now and not from the start of the turn: a long turn must not use up the rest. Peers
 * wait in the kernel's queue meanwhile. */
void listener_rest(struct listener *listener)
{
    listener->resting_until_ns = clock_after(clock_now(), rest_ns);
}

/* A connection that ended may have freed the descriptor that was missing. Without this, a peer that
 * waits would be served up to a second later than it could be. */
void listener_wake(struct listener *listener)
{
    listener->resting_until_ns = 0;
}
