"""Measurements of `unroll.answer`: accuracy on public files beside rivals, and speed.

`make bench BENCH=series` measures all. `python -m bench.series NAME` measures one
public file.
"""
