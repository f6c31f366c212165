"""The origin of results: hashes of their ingredients, records of where and when they
were made, and the machine.
"""
