"""Use cases: what a request means and whether it can be met; neither Flask nor PyTorch."""
