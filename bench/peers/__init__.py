"""How fast Unroll trains and evaluates beside other frameworks, and beside what one
core can do at most.
"""
