"""What a sceptic tries against the answers that are committed, with scikit-learn and
NumPy alone.
"""
