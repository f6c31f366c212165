"""The page of compared results: the results that were built, their tables and plots,
and the page itself.
"""
