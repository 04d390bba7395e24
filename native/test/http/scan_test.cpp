#define PINION_SCAN_KIND "http scan: "
#include "test/http/scan_cases.hpp"
