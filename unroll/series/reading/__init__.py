"""Profiles of files of rows.

A profile is found out by looking at a file. A guess has a reason that the user reads. A
file that can be read in two ways is refused, with the keyword that decides.
"""
