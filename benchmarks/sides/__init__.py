"""The two sides of a comparison, each a process that `benchmarks.step` asks for measurements."""
