"""What someone who has just cloned Unroll waits for: set-up, demo, tests, and the commands that only look."""
