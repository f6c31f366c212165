"""A series of one's own: from the file to a forecast, served, and of ten million rows."""
