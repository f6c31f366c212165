"""The commands for a user's own series: asking, finding an answer, and showing it."""
