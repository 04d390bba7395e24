// The floor on io_uring: multishot accept into direct descriptors, multishot receive from a ring of provided buffers,
// one system call for each batch. A send that succeeds completes silently: its bytes are static, nobody waits for it.
// It parses nothing. Needs kernel 6.1 or newer.
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"

enum { ENTRIES = 4096, SMALL_BUFFERS = 512, LARGE_BUFFERS = 32, GROUP = 0 };
enum Operation { ACCEPT, RECEIVE, SEND, CLOSE };

static struct floor_options options;
static struct io_uring ring;
static struct io_uring_buf_ring* buffers;
static char* buffer_memory;
static unsigned buffer_count;
static uint32_t* received;  // by direct descriptor: bytes of the request that is coming

static struct io_uring_sqe* next_entry(void) {
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == NULL) floor_fail("the submission queue is full", ENOSPC);
    return sqe;
}

// After the prepare function, which clears it.
static void tag(struct io_uring_sqe* sqe, enum Operation operation, unsigned descriptor) {
    sqe->user_data = (uint64_t)operation << 32 | descriptor;
}

static void accept_more(void) {
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_multishot_accept_direct(sqe, options.listener, NULL, NULL, 0);
    tag(sqe, ACCEPT, 0);
}

static void receive_more(unsigned descriptor) {
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_recv_multishot(sqe, (int)descriptor, NULL, 0, 0);
    tag(sqe, RECEIVE, descriptor);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
}

static void close_direct(unsigned descriptor) {
    struct io_uring_sqe* sqe = next_entry();
    io_uring_prep_close_direct(sqe, descriptor);
    tag(sqe, CLOSE, descriptor);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

// MSG_WAITALL: the kernel itself sends the rest of what did not fit.
static void send_answers(unsigned descriptor, size_t due) {
    while (due > 0) {
        size_t burst = due < options.repeats ? due : options.repeats;
        struct io_uring_sqe* sqe = next_entry();
        io_uring_prep_send(sqe, (int)descriptor, options.answers, burst * options.answer_bytes,
                           MSG_NOSIGNAL | MSG_WAITALL);
        tag(sqe, SEND, descriptor);
        sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
        due -= burst;
        // Several sends of one connection keep their order.
        if (due > 0) sqe->flags |= IOSQE_IO_LINK;
    }
}

static void give_back(unsigned buffer, int offset) {
    char* memory = buffer_memory + (size_t)buffer * options.buffer_bytes;
    io_uring_buf_ring_add(buffers, memory, (unsigned)options.buffer_bytes, (unsigned short)buffer,
                          io_uring_buf_ring_mask(buffer_count), offset);
}

// Returns how many buffers go back.
static int complete(const struct io_uring_cqe* cqe, int returned) {
    unsigned descriptor = (unsigned)cqe->user_data;
    int more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    switch ((enum Operation)(cqe->user_data >> 32)) {
        case ACCEPT:
            if (cqe->res >= 0) {
                received[cqe->res] = 0;
                receive_more((unsigned)cqe->res);
            }
            if (!more) accept_more();
            return 0;
        case RECEIVE:
            if (cqe->res > 0) {
                send_answers(descriptor, floor_due(&options, &received[descriptor], (size_t)cqe->res));
                give_back(cqe->flags >> IORING_CQE_BUFFER_SHIFT, returned);
                if (!more) receive_more(descriptor);
                return 1;
            }
            if (cqe->res == -ENOBUFS)
                receive_more(descriptor);
            else
                close_direct(descriptor);
            return 0;
        // A send fails when its connection has; the receive says so too.
        case SEND:
        case CLOSE: return 0;
    }
    return 0;
}

static void set_up_ring(int cooperative) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
    parameters.flags |=
        cooperative ? IORING_SETUP_COOP_TASKRUN : IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    parameters.cq_entries = 4 * ENTRIES;
    int result = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
    if (result < 0) floor_fail("io_uring_setup", -result);
    io_uring_register_ring_fd(&ring);
    result = io_uring_register_files_sparse(&ring, options.connections);
    if (result < 0) floor_fail("io_uring_register_files_sparse", -result);
}

static void set_up_buffers(void) {
    buffer_count = options.buffer_bytes > 65536 ? LARGE_BUFFERS : SMALL_BUFFERS;
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    void* memory = NULL;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (posix_memalign(&memory, page, buffer_count * sizeof(struct io_uring_buf)) != 0 ||
        posix_memalign((void**)&buffer_memory, page, buffer_count * options.buffer_bytes) != 0) {
        floor_fail("buffers", ENOMEM);
    }
    buffers = memory;
    registration.ring_addr = (uint64_t)(uintptr_t)memory;
    registration.ring_entries = buffer_count;
    registration.bgid = GROUP;
    int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result < 0) floor_fail("io_uring_register_buf_ring", -result);
    io_uring_buf_ring_init(buffers);
    for (unsigned at = 0; at < buffer_count; at++) give_back(at, (int)at);
    io_uring_buf_ring_advance(buffers, (int)buffer_count);
}

int main(int count, char** arguments) {
    // Only whether this kernel lets it run.
    if (count == 2 && strcmp(arguments[1], "--probe") == 0) {
        options.connections = 16;
        options.buffer_bytes = 4096;
        set_up_ring(0);
        set_up_buffers();
        return 0;
    }
    options = floor_listen(count, arguments, 0);
    // A fourth argument "coop" for the other kind of ring, to compare: which is faster is in bench/NOTES.md.
    set_up_ring(count > 4 && strcmp(arguments[4], "coop") == 0);
    set_up_buffers();
    received = calloc(options.connections, sizeof *received);
    if (received == NULL) floor_fail("connections", ENOMEM);
    accept_more();
    for (;;) {
        int result = io_uring_submit_and_wait(&ring, 1);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY)
            floor_fail("io_uring_enter", -result);
        struct io_uring_cqe* cqe;
        unsigned head, seen = 0;
        int returned = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            returned += complete(cqe, returned);
            seen++;
        }
        io_uring_cq_advance(&ring, seen);
        if (returned > 0) io_uring_buf_ring_advance(buffers, returned);
    }
}
