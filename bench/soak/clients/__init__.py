"""What the clients of a soak test do."""
