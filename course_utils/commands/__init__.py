"""What `course train`, `course evaluate` and `course predict` do."""
