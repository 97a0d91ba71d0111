"""The 12 Hz codec's decoder: codes in, samples out."""
