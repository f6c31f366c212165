"""Measurements of Unroll's speed, and of its peers on the same work: `make bench`."""
