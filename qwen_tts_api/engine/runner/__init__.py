"""The tensors of a loaded model: captured graphs, static tensors, prefill, frames, decoding."""
