"""Measurements of `unroll.answer`: accuracy on public files beside rivals, and speed.

`make bench BENCH=series` measures all.
"""
