// A load client: one thread on epoll, closed loop or open loop at a fixed rate. The answers are compared as they come.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "options.h"

enum { INPUT_BYTES = 256 * 1024, MOST_EVENTS = 512 };

struct connection {
    int fd;
    unsigned owed;       // answers of the burst that have not come
    size_t sent;         // bytes of the burst
    size_t compared;     // bytes of the answer that is coming
    uint64_t began;      // when the burst was sent, or should have been
    int waits_to_write;  // its burst did not fit into the socket
};

static struct options options;
static struct bytes burst;
static char input[INPUT_BYTES];
static int poll_fd;
static struct connection* connections;

// What is counted in the window.
static uint64_t answers;
static struct histogram histogram;
static int counting;

// Open loop: connections that are free, first in, first out, and what the schedule owes.
static unsigned* free_ring;
static unsigned free_head, free_count;
static uint64_t first_due, sent_count;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) fail("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// CPU time of all threads of the server's processes, of those too that have ended (clock_getcpuclockid(3)).
static uint64_t server_cpu_ns(void) {
    uint64_t sum = 0;
    for (unsigned at = 0; at < options.process_count; at++) {
        clockid_t clock;
        errno = clock_getcpuclockid(options.processes[at], &clock);
        if (errno != 0) fail("the server's process %d", (int)options.processes[at]);
        sum += clock_ns(clock);
    }
    return sum;
}

// CPU time of everything that ran on this machine, in ticks of 10 ms (proc_stat(5)). What others took is the
// difference.
static uint64_t machine_cpu_ns(void) {
    unsigned long long user, nice, system, idle, waiting, interrupt, soft;
    FILE* file = fopen("/proc/stat", "r");
    const char* format = "cpu %llu %llu %llu %llu %llu %llu %llu";
    if (file == NULL || fscanf(file, format, &user, &nice, &system, &idle, &waiting, &interrupt, &soft) != 7) {
        fail("/proc/stat");
    }
    fclose(file);
    return (user + nice + system + interrupt + soft) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

__attribute__((noreturn)) static void fail_answer(const struct connection* connection, const char* data,
                                                  size_t length) {
    errno = 0;
    const char* expected = options.answer.data + connection->compared;
    size_t at = 0;
    while (at < length && data[at] == expected[at]) at++;
    int shown = (int)(length - at < 60 ? length - at : 60);
    fail("byte %zu of an answer is not as expected: \"%.*s\" instead of \"%.*s\"", connection->compared + at, shown,
         data + at, shown, expected + at);
}

// Compares what has come with what is owed; returns how many answers are complete with it.
static unsigned compare(struct connection* connection, char* data, size_t length) {
    unsigned complete = 0;
    while (length > 0) {
        errno = 0;
        if (complete == connection->owed) fail("%zu bytes more than were asked for: \"%.*s\"", length, 60, data);
        size_t from = connection->compared;
        size_t part = options.answer.length - from < length ? options.answer.length - from : length;
        for (unsigned at = 0; at < options.mask_count; at++) {
            size_t low = options.masks[at].offset, high = low + options.masks[at].length;
            if (low < from) low = from;
            if (high > from + part) high = from + part;
            if (low < high) memcpy(data + (low - from), options.answer.data + low, high - low);
        }
        if (memcmp(data, options.answer.data + from, part) != 0) fail_answer(connection, data, part);
        connection->compared += part;
        data += part;
        length -= part;
        if (connection->compared < options.answer.length) break;
        connection->compared = 0;
        complete++;
    }
    connection->owed -= complete;
    return complete;
}

static void watch(struct connection* connection, int operation, int writing) {
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poll_fd, operation, connection->fd, &event) != 0) fail("epoll_ctl");
    connection->waits_to_write = writing;
}

static void send_more(struct connection* connection) {
    while (connection->sent < burst.length) {
        ssize_t sent =
            send(connection->fd, burst.data + connection->sent, burst.length - connection->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) fail("send, after %llu answers", (unsigned long long)answers);
        connection->sent += (size_t)sent;
    }
    int writing = connection->sent < burst.length;
    if (writing != connection->waits_to_write) watch(connection, EPOLL_CTL_MOD, writing);
}

static void send_burst(struct connection* connection, uint64_t began) {
    connection->owed = options.depth;
    connection->sent = 0;
    connection->began = began;
    send_more(connection);
}

// When the next request of the open loop is due.
static uint64_t due_ns(void) { return first_due + (uint64_t)((double)sent_count * 1e9 / options.rate); }

// Open loop: sends what is due and has a free connection; latency counts from the scheduled moment in any case.
static void send_due(uint64_t now) {
    while (free_count > 0) {
        uint64_t due = due_ns();
        if (due > now) return;
        struct connection* connection = &connections[free_ring[free_head]];
        free_head = free_head + 1 == options.connections ? 0 : free_head + 1;
        free_count--;
        sent_count++;
        send_burst(connection, due);
    }
}

// What has not been answered when counting ends would otherwise make the latencies look better than they are.
static void record_unanswered(uint64_t now) {
    for (unsigned at = 0; at < options.connections; at++) {
        if (connections[at].owed > 0 && connections[at].began < now) record(&histogram, now - connections[at].began);
    }
    for (uint64_t due; (due = due_ns()) < now; sent_count++) record(&histogram, now - due);
}

static void receive(struct connection* connection) {
    ssize_t received = recv(connection->fd, input, sizeof input, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received < 0) fail("recv, after %llu answers", (unsigned long long)answers);
    errno = 0;
    if (received == 0) fail("the server has closed a connection, after %llu answers", (unsigned long long)answers);
    unsigned complete = compare(connection, input, (size_t)received);
    if (complete == 0) return;
    uint64_t now = now_ns();
    if (counting) {
        answers += complete;
        for (unsigned at = 0; at < complete; at++) record(&histogram, now - connection->began);
    }
    if (connection->owed > 0) return;
    if (options.rate == 0) {
        send_burst(connection, now);
    } else {
        free_ring[(free_head + free_count++) % options.connections] = (unsigned)(connection - connections);
    }
}

static void run_until(uint64_t end) {
    struct epoll_event events[MOST_EVENTS];
    for (;;) {
        uint64_t now = now_ns();
        if (now >= end) return;
        if (options.rate > 0) send_due(now);
        // At a fixed rate the client spins: a sleeping core would add its own wake-up to each latency.
        int timeout = options.rate > 0 ? 0 : (int)((end - now) / 1000000) + 1;
        int count = epoll_wait(poll_fd, events, MOST_EVENTS, timeout);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        for (int at = 0; at < count; at++) {
            struct connection* connection = events[at].data.ptr;
            if (events[at].events & EPOLLOUT) send_more(connection);
            if (events[at].events & ~(uint32_t)EPOLLOUT) receive(connection);
        }
    }
}

// A connection that has had one answer, with blocking calls.
static int open_connection(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {.tv_sec = 20};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) fail("connect to 127.0.0.1:%u", options.port);
    for (size_t sent = 0; sent < options.request.length;) {
        ssize_t part = send(fd, options.request.data + sent, options.request.length - sent, MSG_NOSIGNAL);
        if (part < 0) fail("the first send");
        sent += (size_t)part;
    }
    struct connection first = {.fd = fd, .owed = 1};
    while (first.owed > 0) {
        ssize_t part = recv(fd, input, sizeof input, 0);
        if (part < 0) fail("the first answer");
        errno = 0;
        if (part == 0) fail("the server has closed a connection before its first answer");
        compare(&first, input, (size_t)part);
    }
    return fd;
}

static void open_all(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
    for (unsigned at = 0; at < options.idle; at++) open_connection();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(options.connections + 1, sizeof *connections);
    free_ring = calloc(options.connections + 1, sizeof *free_ring);
    burst.length = options.request.length * options.depth;
    burst.data = malloc(burst.length + 1);
    if (poll_fd < 0 || connections == NULL || free_ring == NULL || burst.data == NULL) fail("set-up");
    for (unsigned at = 0; at < options.depth; at++) {
        memcpy(burst.data + at * options.request.length, options.request.data, options.request.length);
    }
    for (unsigned at = 0; at < options.connections; at++) {
        connections[at].fd = open_connection();
        if (fcntl(connections[at].fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
        watch(&connections[at], EPOLL_CTL_ADD, 0);
        free_ring[at] = at;
    }
    free_count = options.connections;
}

static void hold(void) {
    char byte;
    puts("held");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int main(int count, char** arguments) {
    options = read_options(count, arguments);
    open_all();
    if (options.hold) {
        hold();
        return 0;
    }
    uint64_t began = now_ns();
    first_due = began;
    if (options.rate == 0) {
        for (unsigned at = 0; at < options.connections; at++) send_burst(&connections[at], began);
    }
    run_until(began + (uint64_t)(options.warm * 1e9));

    counting = 1;
    uint64_t machine = machine_cpu_ns(), window = now_ns(), server = server_cpu_ns(),
             client = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run_until(window + (uint64_t)(options.seconds * 1e9));
    server = server_cpu_ns() - server;
    client = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - client;
    window = now_ns() - window;
    machine = machine_cpu_ns() - machine;

    if (options.rate > 0) record_unanswered(now_ns());
    printf(
        "{\"answers\":%llu,\"seconds\":%.9f,\"serverCpuNs\":%llu,\"clientCpuNs\":%llu,\"machineCpuNs\":%llu,"
        "\"histogram\":",
        (unsigned long long)answers, (double)window / 1e9, (unsigned long long)server, (unsigned long long)client,
        (unsigned long long)machine);
    print_histogram(&histogram);
    puts("}");
    return 0;
}
