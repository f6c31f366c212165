"""Workspaces that are made: the demo, a miniature, a project of one's own, a clone."""
