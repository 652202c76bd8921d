"""The harness: quality, claims and speed. Run by `pytest benchmarks/`, never imported by the package."""
