"""Side-by-side measurements, each one command; see docs/benchmarks.md."""
