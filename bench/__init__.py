"""Measurements. Nothing here is asserted; `make bench` runs it and writes `bench/results/`."""
