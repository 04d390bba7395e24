// What both responders share: the command line, the listening socket, the answers, how many bytes make a request.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct floor_options {
    int listener;
    const char* answers;  // the answer, `repeats` times in a row: a burst of requests is answered by one send
    size_t answer_bytes;  // of one answer
    size_t repeats;
    size_t request_bytes;  // a request is recognised by its length; nothing is parsed
    size_t buffer_bytes;   // of one receive
    unsigned connections;  // at most; the limit of open files
};

// Reads `PORT REQUEST_BYTES ANSWER_FILE`, listens on 127.0.0.1 and says so; ends the process with 1 if it cannot.
struct floor_options floor_listen(int count, char** arguments, int nonblocking);

__attribute__((noreturn)) void floor_fail(const char* what, int error);

// Adds what has come to a connection's count; returns how many answers are due.
static inline size_t floor_due(const struct floor_options* options, uint32_t* received, size_t bytes) {
    size_t total = *received + bytes;
    if (total < options->request_bytes) {
        *received = (uint32_t)total;
        return 0;
    }
    size_t due = total / options->request_bytes;
    *received = (uint32_t)(total % options->request_bytes);
    return due;
}
