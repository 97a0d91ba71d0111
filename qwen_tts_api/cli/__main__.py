"""`python -m qwen_tts_api.cli`."""

from qwen_tts_api.cli import main

main()
