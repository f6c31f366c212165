"""What params.yaml says: read, validated, and its names looked up."""
