"""Training: jobs, training methods, and the folders of runs."""
