"""The page of compared results: what was built (`results`), its tables, its plots, and
the page itself.
"""
