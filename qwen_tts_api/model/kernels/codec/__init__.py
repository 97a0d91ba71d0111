"""The codec's decoder in Triton: a chunk of all rows in about 100 launches instead of 500."""
