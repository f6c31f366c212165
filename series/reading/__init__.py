"""What a file of rows is like, found out by looking at it; whatever is not certain is asked for or said."""
