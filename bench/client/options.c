#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char USAGE[] =
    "load: sends one request over and over, and compares each answer with the one that is expected, byte for byte.\n"
    "  --port N           of the server on 127.0.0.1\n"
    "  --request FILE     the bytes of one request\n"
    "  --answer FILE      the bytes of one answer\n"
    "  --mask AT:LENGTH   bytes of the answer that may differ (Date)\n"
    "  --connections N    that carry the load (1)\n"
    "  --depth N          requests sent in one burst; the next burst waits for all its answers (1)\n"
    "  --idle N           further connections, idle after one answered request each (0)\n"
    "  --warm S           seconds of load before it is counted (0.2)\n"
    "  --seconds S        seconds that are counted (1)\n"
    "  --rate N           requests/s on a fixed schedule, latency from the scheduled moment; the client then spins\n"
    "  --hold             open everything, print \"held\", end when standard input does\n"
    "  --pids A,B,...     the server's processes, whose CPU time is read when counting begins and ends\n"
    "Prints one line of JSON.\n";

void fail(const char* format, ...) {
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, error != 0 ? ": %s\n" : "\n", strerror(error));
    exit(1);
}

static struct bytes read_file(const char* path) {
    struct stat status;
    FILE* file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0) fail("%s", path);
    struct bytes content = {malloc((size_t)status.st_size + 1), (size_t)status.st_size};
    if (content.data == NULL || fread(content.data, 1, content.length, file) != content.length) fail("%s", path);
    fclose(file);
    if (content.length == 0) fail("%s is empty", path);
    return content;
}

static double number(const char* text, const char* name, double least) {
    char* end;
    double value = strtod(text, &end);
    errno = 0;
    if (*text == '\0' || *end != '\0' || !(value >= least))
        fail("--%s %s: not a number of at least %g", name, text, least);
    return value;
}

static void add_mask(struct options* options, char* text) {
    char* colon = strchr(text, ':');
    errno = 0;
    if (colon == NULL || options->mask_count == MOST_MASKS) fail("--mask %s: AT:LENGTH, %d at most", text, MOST_MASKS);
    *colon = '\0';
    struct mask* mask = &options->masks[options->mask_count++];
    mask->offset = (size_t)number(text, "mask", 0);
    mask->length = (size_t)number(colon + 1, "mask", 1);
}

static void add_processes(struct options* options, char* text) {
    for (char* pid = strtok(text, ","); pid != NULL; pid = strtok(NULL, ",")) {
        errno = 0;
        if (options->process_count == MOST_PROCESSES) fail("--pids: more than %d", MOST_PROCESSES);
        options->processes[options->process_count++] = (pid_t)number(pid, "pids", 1);
    }
}

struct options read_options(int count, char** arguments) {
    enum { PORT = 1, REQUEST, ANSWER, MASK, CONNECTIONS, DEPTH, IDLE, WARM, SECONDS, RATE, HOLD, PIDS, HELP };
    static const struct option NAMES[] = {
        {"port", 1, NULL, PORT},       {"request", 1, NULL, REQUEST},
        {"answer", 1, NULL, ANSWER},   {"mask", 1, NULL, MASK},
        {"depth", 1, NULL, DEPTH},     {"connections", 1, NULL, CONNECTIONS},
        {"idle", 1, NULL, IDLE},       {"warm", 1, NULL, WARM},
        {"seconds", 1, NULL, SECONDS}, {"rate", 1, NULL, RATE},
        {"hold", 0, NULL, HOLD},       {"pids", 1, NULL, PIDS},
        {"help", 0, NULL, HELP},       {NULL, 0, NULL, 0},
    };
    struct options options = {.connections = 1, .depth = 1, .warm = 0.2, .seconds = 1};
    int index = 0;
    for (int found; (found = getopt_long(count, arguments, "", NAMES, &index)) != -1;) {
        switch (found) {
            case PORT: options.port = (uint16_t)number(optarg, "port", 1); break;
            case REQUEST: options.request = read_file(optarg); break;
            case ANSWER: options.answer = read_file(optarg); break;
            case MASK: add_mask(&options, optarg); break;
            case CONNECTIONS: options.connections = (unsigned)number(optarg, "connections", 0); break;
            case DEPTH: options.depth = (unsigned)number(optarg, "depth", 1); break;
            case IDLE: options.idle = (unsigned)number(optarg, "idle", 0); break;
            case WARM: options.warm = number(optarg, "warm", 0); break;
            case SECONDS: options.seconds = number(optarg, "seconds", 0.001); break;
            case RATE: options.rate = number(optarg, "rate", 0); break;
            case HOLD: options.hold = 1; break;
            case PIDS: add_processes(&options, optarg); break;
            case HELP: fputs(USAGE, stdout); exit(0);
            default: fputs(USAGE, stderr); exit(2);
        }
    }
    errno = 0;
    if (options.port == 0 || options.request.data == NULL || options.answer.data == NULL) {
        fail("--port, --request and --answer are needed; see --help");
    }
    for (unsigned at = 0; at < options.mask_count; at++) {
        struct mask mask = options.masks[at];
        if (mask.offset + mask.length > options.answer.length) fail("--mask lies outside of the answer");
    }
    if (options.rate > 0 && options.depth > 1) fail("--rate goes with --depth 1");
    if (options.connections == 0 && !options.hold) fail("--connections 0 goes with --hold");
    return options;
}
