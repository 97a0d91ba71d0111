"""What a file says of who made its audio, so that software can tell that it is synthetic.

The same sentence in each container, in the field that the container has for a comment; beside it,
the software. Nothing of the text is in it, and nothing that differs between two equal requests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from qwen_tts_api import __version__

SOFTWARE = f"qwen-tts-api {__version__}"

SOURCE_TYPE = "trainedAlgorithmicMedia"
"""IPTC's word for what a trained model has made, which C2PA uses, too: `digitalsourcetype` at
https://cv.iptc.org/newscodes/."""

_SOURCE_TYPE_URI = f"http://cv.iptc.org/newscodes/digitalsourcetype/{SOURCE_TYPE}"

MAX_VALUE_CHARS = 100


@dataclass(frozen=True)
class Provenance:
    """Where audio comes from.

    Attributes:
        model: The model's name.
        voice: The name of the speaker or registered voice; empty if it has none.
        seed: Of the sampling. With the line in the log that has it, it identifies the request.
    """

    model: str
    voice: str
    seed: int

    @property
    def comment(self) -> str:
        """Return the sentence: `AI-generated speech; name=value; name=value`."""
        values = {
            "digital_source_type": _SOURCE_TYPE_URI,
            "model": _cleaned(self.model),
            "voice": _cleaned(self.voice),
            "seed": str(self.seed),
        }
        pairs = [f"{name}={value}" for name, value in values.items() if value]
        return "; ".join(["AI-generated speech", *pairs])

    def riff_info(self) -> bytes:
        """Return a LIST chunk of the type INFO, as in WAV; its length is even."""
        chunks = b"".join(
            _chunk(name, text.encode() + b"\0", "<")
            for name, text in ((b"ISFT", SOFTWARE), (b"ICMT", self.comment))
        )
        return _chunk(b"LIST", b"INFO" + chunks, "<")

    def aiff_chunks(self) -> bytes:
        """Return an annotation, AIFF's own, and ID3, which most players read instead."""
        annotation = f"{self.comment}; software={SOFTWARE}".encode()
        return _chunk(b"ANNO", annotation, ">") + _chunk(b"ID3 ", self.id3(), ">")

    def au_annotation(self) -> bytes:
        """Return what is between an AU file's header and its samples: a multiple of 8 bytes."""
        text = f"{self.comment}; software={SOFTWARE}".encode() + b"\0"
        return text + bytes(-len(text) % 8)

    def id3(self) -> bytes:
        """Return an ID3v2.4 tag, for MP3.

        Its texts are UTF-8 and its sizes have 7 bits a byte: no byte is 0xFF, with which a frame of
        MP3 begins, so that decoders skip it wherever it is, as in files that are joined.
        """
        frames = _id3_frame(b"TSSE", b"\x03" + SOFTWARE.encode())
        frames += _id3_frame(b"COMM", b"\x03eng\0" + self.comment.encode())
        return b"ID3\x04\0\0" + _synchsafe(len(frames)) + frames


def _cleaned(value: str) -> str:
    """Return a name without what would end a value or a line, or is no text."""
    kept = "".join(each for each in value[:MAX_VALUE_CHARS] if each.isprintable())
    return kept.replace(";", ",")


def _chunk(name: bytes, data: bytes, order: str) -> bytes:
    """Return a chunk of RIFF (`<`) or AIFF (`>`), whose length is even."""
    return name + struct.pack(f"{order}I", len(data)) + data + bytes(len(data) % 2)


def _id3_frame(name: bytes, data: bytes) -> bytes:
    return name + _synchsafe(len(data)) + b"\0\0" + data


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))
