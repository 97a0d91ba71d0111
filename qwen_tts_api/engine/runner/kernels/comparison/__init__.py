"""Compare fused kernels with PyTorch's operators: the same work on the same random rows.

Both round in the model's dtype, and not always at the same places. So numbers may differ by
rounding, and a code that is sampled from them may be another one; from there on its row says
something else, and is not compared any further.
"""
