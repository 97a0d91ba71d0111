"""What all APIs that answer with speech have in common."""
