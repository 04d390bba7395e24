// The floor on epoll: edge-triggered, one receive and one send per event, one buffer for all. It parses nothing.
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"

enum { MOST_EVENTS = 512 };

struct connection {
    uint32_t received;  // of the request that is coming
    uint32_t owed;      // answers, the first of them perhaps sent in part
    size_t sent;        // bytes of that one
};

static struct floor_options options;
static struct connection* connections;  // by descriptor
static char* buffer;
static int poll_fd;

static void accept_all(void) {
    for (;;) {
        int fd = accept4(options.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if ((unsigned)fd >= options.connections) {
            close(fd);
            continue;
        }
        connections[fd] = (struct connection){0};
        // Writable is announced too: a socket that was full says so by the same edge.
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) floor_fail("epoll_ctl", errno);
    }
}

// Returns 0 if the connection is over.
static int send_owed(int fd, struct connection* connection) {
    while (connection->owed > 0) {
        size_t burst = connection->owed < options.repeats ? connection->owed : options.repeats;
        size_t bytes = burst * options.answer_bytes - connection->sent;
        ssize_t sent = send(fd, options.answers + connection->sent, bytes, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        size_t total = connection->sent + (size_t)sent;
        connection->owed -= (uint32_t)(total / options.answer_bytes);
        connection->sent = total % options.answer_bytes;
    }
    return 1;
}

// A short receive has emptied the socket: the next byte makes a new edge.
static int receive(int fd, struct connection* connection) {
    for (;;) {
        ssize_t received = recv(fd, buffer, options.buffer_bytes, 0);
        if (received < 0) return errno == EAGAIN;
        if (received == 0) return 0;
        connection->owed += (uint32_t)floor_due(&options, &connection->received, (size_t)received);
        if ((size_t)received < options.buffer_bytes) return 1;
    }
}

int main(int count, char** arguments) {
    struct epoll_event events[MOST_EVENTS];
    options = floor_listen(count, arguments, 1);
    connections = calloc(options.connections, sizeof *connections);
    buffer = malloc(options.buffer_bytes);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || buffer == NULL || poll_fd < 0) floor_fail("set-up", errno);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = options.listener};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, options.listener, &event) != 0) floor_fail("epoll_ctl", errno);
    for (;;) {
        int ready = epoll_wait(poll_fd, events, MOST_EVENTS, -1);
        if (ready < 0 && errno != EINTR) floor_fail("epoll_wait", errno);
        for (int at = 0; at < ready; at++) {
            int fd = events[at].data.fd;
            if (fd == options.listener) {
                accept_all();
                continue;
            }
            struct connection* connection = &connections[fd];
            int open = !(events[at].events & EPOLLIN) || receive(fd, connection);
            if (!open || !send_owed(fd, connection)) close(fd);
        }
    }
}
