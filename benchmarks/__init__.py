"""What the course's own code costs, each time beside what one would use otherwise, in the same run."""
