"""What made a result: hashes of its ingredients, a record of where and when, and the
machine it was made on.
"""
