"""New workspaces: the demo, a miniature, a project of your own, a clone."""
