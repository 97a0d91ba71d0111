"""All that is in a checkpoint's folder but its weights; each file is read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_tts_api.checkpoints.card import ModelCard, card_of, read_config
from qwen_tts_api.checkpoints.documents import Document, read_json, refuse_quantised
from qwen_tts_api.checkpoints.tokenizer import PromptTokenizer, load_tokenizer

CODEC = "speech_tokenizer"
"""The folder of the codec, in that of the checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        folder: Where it is.
        card: What the model can do.
        config: Its config.json.
        codec_config: The codec's.
        preprocessor: The codec's preprocessor_config.json; empty where there is none.
        tokenizer: The text tokenizer.
    """

    folder: Path
    card: ModelCard
    config: Document
    codec_config: Document
    preprocessor: Document
    tokenizer: PromptTokenizer

    @classmethod
    def read(cls, folder: Path, config: Document | None = None) -> Checkpoint:
        """Read a folder in the published format.

        Args:
            folder: Of the checkpoint.
            config: Its config.json, where it has been read already.

        Raises:
            LoadError: A file is missing or damaged, or it is of a kind that is not served.
        """
        config = read_config(folder) if config is None else config
        card = card_of(config, folder)
        codec_config = read_json(folder / CODEC / "config.json")
        refuse_quantised(codec_config, f"{CODEC}/config.json")
        preprocessor = folder / CODEC / "preprocessor_config.json"
        return cls(
            folder=folder,
            card=card,
            config=config,
            codec_config=codec_config,
            preprocessor=read_json(preprocessor) if preprocessor.is_file() else {},
            tokenizer=load_tokenizer(folder, config),
        )
