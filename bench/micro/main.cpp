// bench/micro/main.cpp: every program of this folder begins here; Google Benchmark reads the command line.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
