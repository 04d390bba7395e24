#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { REPEATED_BYTES = 64 * 1024, LARGE_REQUEST = 64 * 1024, SMALL_BUFFER = 4096, LARGE_BUFFER = 256 * 1024 };

void floor_fail(const char* what, int error) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(error));
    exit(1);
}

// The answer, as often as fits into 64 KiB, once at least.
static void read_answers(struct floor_options* options, const char* path) {
    struct stat status;
    FILE* file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0 || status.st_size == 0) floor_fail(path, errno);
    options->answer_bytes = (size_t)status.st_size;
    options->repeats = REPEATED_BYTES / options->answer_bytes;
    if (options->repeats == 0) options->repeats = 1;
    char* answers = malloc(options->answer_bytes * options->repeats);
    if (answers == NULL || fread(answers, 1, options->answer_bytes, file) != options->answer_bytes) {
        floor_fail(path, errno);
    }
    fclose(file);
    for (size_t at = 1; at < options->repeats; at++) {
        memcpy(answers + at * options->answer_bytes, answers, options->answer_bytes);
    }
    options->answers = answers;
}

struct floor_options floor_listen(int count, char** arguments, int nonblocking) {
    if (count < 4) {
        fprintf(stderr, "usage: %s PORT REQUEST_BYTES ANSWER_FILE\n", arguments[0]);
        exit(2);
    }
    struct floor_options options = {.request_bytes = strtoul(arguments[2], NULL, 10)};
    if (options.request_bytes == 0) floor_fail("REQUEST_BYTES", EINVAL);
    options.buffer_bytes = options.request_bytes >= LARGE_REQUEST ? LARGE_BUFFER : SMALL_BUFFER;
    read_answers(&options, arguments[3]);

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) floor_fail("getrlimit", errno);
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) floor_fail("setrlimit", errno);
    options.connections = (unsigned)limit.rlim_cur;

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    options.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
    if (options.listener < 0) floor_fail("socket", errno);
    setsockopt(options.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    // Accepted sockets inherit it.
    setsockopt(options.listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(options.listener, (struct sockaddr*)&address, sizeof address) != 0) floor_fail("bind", errno);
    if (listen(options.listener, 4096) != 0) floor_fail("listen", errno);
    printf("floor: serving http://127.0.0.1:%s\n", arguments[1]);
    fflush(stdout);
    return options;
}
