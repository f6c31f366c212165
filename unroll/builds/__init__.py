"""What builds, through DVC: `repro`, `verify`, `demo`, `official`, and what changed since a commit."""
