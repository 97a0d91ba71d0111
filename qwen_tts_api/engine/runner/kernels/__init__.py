"""Which parts of the work fused kernels do; they are compared with PyTorch's operators before."""
