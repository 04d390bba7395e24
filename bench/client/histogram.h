// Latencies in nanoseconds, in log-linear buckets: 128 for each power of two, so that a bucket is at most 1/128 wide.
#pragma once
#include <stdint.h>
#include <stdio.h>

enum { SUB_BITS = 7, SUB_COUNT = 1 << SUB_BITS, BUCKETS = (64 - SUB_BITS) * SUB_COUNT + SUB_COUNT };

struct histogram {
    uint64_t counts[BUCKETS];
};

// Below 128 a value is its own bucket. Above, shift is how many low bits are dropped, and 128 <= value >> shift < 256.
static inline unsigned bucket_of(uint64_t value) {
    if (value < SUB_COUNT) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUB_COUNT + (unsigned)((value >> shift) - SUB_COUNT);
}

static inline void record(struct histogram* histogram, uint64_t nanoseconds) {
    histogram->counts[bucket_of(nanoseconds)]++;
}

// [[bucket, count], ...] of those that are not empty.
static inline void print_histogram(const struct histogram* histogram) {
    const char* separator = "";
    putchar('[');
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        if (histogram->counts[bucket] == 0) continue;
        printf("%s[%u,%llu]", separator, bucket, (unsigned long long)histogram->counts[bucket]);
        separator = ",";
    }
    putchar(']');
}
