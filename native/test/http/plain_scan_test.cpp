// What a processor without vector instructions gets.
#define PINION_PLAIN_BLOCKS
#define PINION_SCAN_KIND "http scan without vectors: "
#include "test/http/scan_cases.hpp"
