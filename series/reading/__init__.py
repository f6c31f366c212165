"""What a file of rows is like, found out by looking at it; what is not certain is asked
or said.
"""
