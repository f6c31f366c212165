"""Making a workspace: a part of the experiments, all of them scaled down, a miniature, one's own, or a commit."""
