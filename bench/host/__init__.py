"""What the host costs: the real server over a model that costs it nothing."""
