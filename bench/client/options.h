// The command line of the load client.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MOST_PROCESSES = 64, MOST_MASKS = 4 };

// What may differ from answer to answer: the value of the Date field.
struct mask {
    size_t offset;
    size_t length;
};

struct bytes {
    char* data;
    size_t length;
};

struct options {
    uint16_t port;
    unsigned connections;  // that carry the load
    unsigned idle;         // further ones, each with one answered request
    unsigned depth;        // requests in one burst
    double warm;           // seconds before the window
    double seconds;        // the window
    double rate;           // requests/s, open loop; 0: closed loop
    int hold;              // say "held" when all is open, and end with standard input
    struct bytes request;
    struct bytes answer;
    struct mask masks[MOST_MASKS];
    unsigned mask_count;
    pid_t processes[MOST_PROCESSES];  // the server's
    unsigned process_count;
};

struct options read_options(int count, char** arguments);

// Prints the message and errno's, and ends the process with 1.
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char* format, ...);
