"""Measurements and tables that `make bench-*` prints; none is a test."""
