"""Document 003's assignment, and a check of students' programs."""
