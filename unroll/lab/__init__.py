"""Document 003's assignment, and whether a student's program is what it asks for; if
not, what is wrong.
"""
