"""bench/system/harness: what scripts/bench runs. README.md of bench/system/harness says what is where."""
