"""The schemas of `/v1/audio/speech/batch`: vLLM-Omni's, whose items have our fields, too."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.apis.openai.schema import OpenAISpeechSchema

MAX_ITEMS = 32
"""How many items a batch may have; as many as in vLLM-Omni, if its setting is its default."""

MAX_TEXTS = 8
"""How many texts of QWEN_MAX_TEXT_CHARS all of them may have together: the answer is kept whole."""

DEFAULT_FORMAT = "wav"
"""vLLM-Omni's, which is not that of `/v1/audio/speech`."""


class SpeechBatchItemSchema(OpenAISpeechSchema):
    """One text of a batch; null means what the batch says."""

    class Meta:
        """Nothing of a batch is streamed."""

        exclude = ("stream", "stream_format")

    text = fields.String(
        data_key=FIELDS["text"], metadata={"description": "What to say; required without `turns`."}
    )


class SpeechBatchSchema(OpenAISpeechSchema):
    """Several texts, and the defaults of their fields."""

    class Meta:
        """The texts are in the items."""

        exclude = ("text", "stream", "stream_format")

    items = fields.List(
        fields.Nested(SpeechBatchItemSchema),
        required=True,
        validate=validate.Length(1, MAX_ITEMS),
        metadata={"description": f"The texts, 1 to {MAX_ITEMS}."},
    )


class SpeechBatchUsageSchema(Schema):
    """What a text has cost."""

    input_tokens = fields.Integer(metadata={"description": "Tokens of the text."})
    output_tokens = fields.Integer(metadata={"description": "Frames of audio, 12.5 a second."})
    total_tokens = fields.Integer(metadata={"description": "Both."})


class SpeechBatchItemResultSchema(Schema):
    """The audio of a text, or what is wrong with it."""

    index = fields.Integer(required=True, metadata={"description": "Of the item, from 0."})
    status = fields.String(
        required=True,
        validate=validate.OneOf(["success", "error"]),
        metadata={"description": "Whether there is audio."},
    )
    audio_data = fields.String(metadata={"description": "The file, in base64."})
    media_type = fields.String(metadata={"description": "Its type."})
    usage = fields.Nested(SpeechBatchUsageSchema, metadata={"description": "What it has cost."})
    segments = fields.List(
        fields.Dict(), metadata={"description": "With `timestamps`, as of `/api/tts`."}
    )
    duration = fields.Float(metadata={"description": "Likewise, in seconds."})
    finish_reason = fields.String(metadata={"description": "Likewise."})
    estimated = fields.Boolean(metadata={"description": "Likewise."})
    srt = fields.String(metadata={"description": "Likewise, as subtitles."})
    vtt = fields.String(metadata={"description": "Likewise, as subtitles."})
    error = fields.String(metadata={"description": "What is wrong, in a sentence."})


class SpeechBatchResultSchema(Schema):
    """What became of a batch."""

    id = fields.String(required=True, metadata={"description": "Of the batch."})
    results = fields.List(
        fields.Nested(SpeechBatchItemResultSchema),
        required=True,
        metadata={"description": "In the order of the items."},
    )
    total = fields.Integer(required=True, metadata={"description": "How many items there are."})
    succeeded = fields.Integer(required=True, metadata={"description": "Those with audio."})
    failed = fields.Integer(required=True, metadata={"description": "Those without."})
