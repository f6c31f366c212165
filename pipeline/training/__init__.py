"""From examples to predictions: a job, the methods that do it, and what they leave on
disk.
"""
