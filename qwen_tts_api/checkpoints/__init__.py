"""What is on the disk: a checkpoint's files, documents and tokenizer. No PyTorch but in `nano`."""
