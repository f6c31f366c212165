"""Making a workspace: a part of the experiments, a miniature, one's own, or a commit."""
