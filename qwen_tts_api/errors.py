"""Every failure a client or an operator can meet, each with a stable code.

A request fails with a `TTSError`, which has the status and the code of the answer. A process that
cannot serve logs the sentence of a `StartupError`, and exits with `EXIT_CANNOT_START`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

Sentence = str | Callable[[Callable[[str], str]], str]
"""What a client reads. One that names fields of the request is a function: it gets another, which
returns a field's name, in quotes, as the client's API has it."""

OWN_NAMES: Mapping[str, str] = MappingProxyType({})

EXIT_CANNOT_START = 4
"""Exit code of a process whose settings or model are unusable.

It is gunicorn's own `Arbiter.APP_LOAD_ERROR`: a worker that exits with it takes the master along
instead of being started again.
"""

EXIT_LOST = 70
"""Exit code of a process that worked and cannot any more: a crash, a lost device (EX_SOFTWARE)."""


class TTSError(Exception):
    """A request that cannot be answered with audio.

    Args:
        message: One sentence for the client: the value that was wrong, and what is allowed.
        fields: Sentences by name of the request's field, where fields are to blame.
        retry_after_s: Seconds after which the same request may succeed; the class's own if None.

    >>> error = InvalidRequest(lambda field: f"{field('text')} is not 'text'.")
    >>> error.message, error.message_in({"text": "input"})
    ("'text' is not 'text'.", "'input' is not 'text'.")
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    default_retry_after_s: ClassVar[int | None] = None

    def __init_subclass__(
        cls, *, code: str, status: int | None = None, retry_after_s: int | None = None
    ) -> None:
        """Set the code of a class; status and retry time default to its parent's."""
        super().__init_subclass__()
        cls.code = code
        cls.status = cls.status if status is None else status
        if retry_after_s is not None:
            cls.default_retry_after_s = retry_after_s

    def __init__(
        self,
        message: Sentence,
        *,
        fields: Mapping[str, Sequence[Sentence]] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(_say(message, OWN_NAMES))
        self._sentence = message
        self._fields = fields
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else retry_after_s

    @property
    def message(self) -> str:
        """Return the sentence with our own names of fields."""
        return self.message_in(OWN_NAMES)

    @property
    def fields(self) -> dict[str, list[str]] | None:
        """Return what is wrong with each field, likewise."""
        return self.fields_in(OWN_NAMES)

    def at(self, place: str) -> TTSError:
        """Return the same error with a place before its sentence, such as `line 2`."""
        sentence = self._sentence
        return type(self)(
            lambda field: f"{place}: {sentence if isinstance(sentence, str) else sentence(field)}",
            fields=self._fields,
            retry_after_s=self.retry_after_s,
        )

    def message_in(self, names: Mapping[str, str]) -> str:
        """Return the sentence for the clients of an API that calls our fields so."""
        return _say(self._sentence, names)

    def fields_in(self, names: Mapping[str, str]) -> dict[str, list[str]] | None:
        """Return what is wrong with each field, likewise."""
        if self._fields is None:
            return None
        return {
            names.get(name, name): [_say(sentence, names) for sentence in sentences]
            for name, sentences in self._fields.items()
        }


def _say(sentence: Sentence, names: Mapping[str, str]) -> str:
    if isinstance(sentence, str):
        return sentence
    return sentence(lambda name: f"'{names.get(name, name)}'")


class InvalidRequest(TTSError, status=400, code="invalid_request"):
    """The request is malformed, or asks for what does not exist."""


class TextRequired(InvalidRequest, code="text_required"):
    """There is no text, or it is blank."""


class TextTooLong(InvalidRequest, code="text_too_long"):
    """The text has more characters than `QWEN_MAX_TEXT_CHARS`."""


class UnspeakableText(InvalidRequest, code="unspeakable_text"):
    """The text has nothing in it that could be spoken, or is not valid Unicode."""


class NothingToSay(UnspeakableText, code=UnspeakableText.code):
    """The text is of signs that nobody says: the compatible APIs answer with a silence."""


class InvalidSsml(InvalidRequest, code="invalid_ssml"):
    """The text is SSML that is malformed, or has what is not understood."""


class UnknownModel(InvalidRequest, code="unknown_model"):
    """`model` names none of the served models."""


class UnknownSpeaker(InvalidRequest, code="unknown_speaker"):
    """The model has no such speaker."""


class UnknownLanguage(InvalidRequest, code="unknown_language"):
    """The model has no such language."""


class UnknownFormat(InvalidRequest, code="unknown_format"):
    """`audio_format` names no format that can be made."""


class NotSupported(InvalidRequest, code="not_supported"):
    """The field exists, but the loaded model cannot honour it."""


class Unauthorized(TTSError, status=401, code="unauthorized"):
    """The request has no key of this server's."""


class RequestTimeout(TTSError, status=408, code="request_timeout"):
    """The client took longer than `QWEN_CLIENT_TIMEOUT_S` to send its body."""


class ReferenceRequired(InvalidRequest, code="reference_required"):
    """The model clones voices, and the request has neither a recording nor a registered voice."""


class InvalidAudio(InvalidRequest, code="invalid_audio"):
    """A recording is no audio, of a kind that is not read, too short, too long or silent."""


class CrossSite(TTSError, status=403, code="cross_site"):
    """A web page of another site, not in `QWEN_CORS_ORIGINS`, sends an unsafe request."""


class HostNotAllowed(TTSError, status=403, code="host_not_allowed"):
    """The `Host` header is not an allowed name of this server."""


class RegistryReadOnly(TTSError, status=403, code="registry_read_only"):
    """`QWEN_VOICE_UPLOADS` does not allow requests to add or delete voices."""


class VoiceNotFound(TTSError, status=404, code="voice_not_found"):
    """There is no registered voice of this id."""


class VoiceExists(TTSError, status=409, code="voice_exists"):
    """The name belongs to another voice already."""


class TooManyVoices(TTSError, status=409, code="too_many_voices"):
    """As many voices are registered as `QWEN_MAX_VOICES` allows."""


class BodyTooLarge(TTSError, status=413, code="body_too_large"):
    """The body has more bytes than `QWEN_MAX_BODY_BYTES` and `QWEN_MAX_AUDIO_BYTES` allow."""


class UnsupportedEncoding(TTSError, status=415, code="unsupported_encoding"):
    """The body is compressed, or otherwise encoded on its way."""


class UpgradeRequired(TTSError, status=426, code="upgrade_required"):
    """The path is a WebSocket's, and the request is no handshake of one."""


class QueueFull(TTSError, status=429, code="queue_full"):
    """As many requests are waiting as `QWEN_MAX_QUEUE` allows."""


class RateLimited(TTSError, status=429, code="rate_limited"):
    """The client has asked more often than `QWEN_RATE_LIMIT` allows."""


class ClientLeft(TTSError, status=499, code="client_left"):
    """The client closed its connection before the answer (nginx's status, seen in the log only)."""


class SynthesisFailed(TTSError, code="synthesis_failed"):
    """The model raised; the cause is in the log, not in the answer."""


class Unavailable(TTSError, status=503, code="unavailable", retry_after_s=5):
    """The service cannot synthesise at the moment."""


class ModelLoading(Unavailable, code="model_loading"):
    """The default model is not loaded yet."""


class ModelUnavailable(Unavailable, code="model_unavailable"):
    """A model could not be loaded, and is tried again later."""


class OutOfMemory(Unavailable, code="out_of_memory"):
    """The device had no memory left for this request."""


class RegistryUnavailable(Unavailable, code="registry_unavailable"):
    """The folder of the registered voices cannot be read or written; the cause is in the log."""


class TooManySockets(Unavailable, code="too_many_sockets"):
    """As many WebSockets are open as `QWEN_MAX_SOCKETS` allows."""


class ShuttingDown(Unavailable, code="shutting_down"):
    """The process is shutting down, and refuses new work."""


class DeadlineExceeded(TTSError, status=504, code="deadline_exceeded"):
    """The audio was not finished within `QWEN_REQUEST_TIMEOUT_S`."""


class StartupError(Exception):
    """The process cannot serve. The message says what to set or do."""


class ConfigError(StartupError):
    """A `QWEN_*` setting is unknown, or has a value that is not allowed."""


class LoadError(StartupError):
    """A checkpoint or its device is not there, or does not work."""
