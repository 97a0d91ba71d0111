"""`make soak`: load with well-behaved and hostile clients under fault injection."""
