"""The answers of one's own series: what is asked, where an answer lies, how it is
shown.
"""
