"""Fused kernels in Triton: a frame of all slots in about 580 launches instead of 3,100.

Each kernel does what a few operators of the plain path do, and rounds where they round: the plain
path (`model.frame`, `model.layers`, `model.sampling`) defines it, and the tests compare the two.
Importing a module of this package imports Triton, which PyTorch's CUDA builds bring.

No order of a sum depends on the batch: each row of a tile is summed alike, whether the tile has 16
rows, of which a short batch leaves some empty, or more, and a sequence is split at fixed positions.
So what is computed for a slot is the same to the last bit whoever else is in the batch, and
wherever its pages are.
"""
