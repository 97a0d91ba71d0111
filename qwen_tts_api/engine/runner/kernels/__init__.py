"""Which parts of the work fused kernels do; they are compared with their plain twins before."""
