"""Exit codes. For wrong usage click exits with 2."""

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
"""What a shell reports for Ctrl-C."""
