"""`say`: synthesize a text to a file, standard output or the loudspeaker."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from qwen_tts_api.cli.client import ServerClient, server_options
from qwen_tts_api.cli.outputs import (
    NATIVE_RATE_HZ,
    PLAYERS,
    STANDARD_STREAM,
    Write,
    find_player,
    format_of,
    is_streamed,
    open_output,
)
from qwen_tts_api.cli.settings import option_of, setting_options, variable_of
from qwen_tts_api.config.settings import LIVE_MODES

if TYPE_CHECKING:
    from qwen_tts_api.cli.progress import ProgressLine
    from qwen_tts_api.cli.speech import Answer, Speak

_NEED_WHOLE_TEXT = ("ssml", "speaker_marks")
"""Fields of texts that are understood as a whole, and not while they come."""

_CUT = {
    "length": "Its frame budget ended it, the text's or max_new_tokens: try another --seed.",
    "loop": "The model repeated itself and was cut: try another --seed.",
}
"""Messages for audio that was cut, by its finish reason."""

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_TIMES = ("srt", "vtt", "times")
_PLACEMENT = ("device", "dtype", "attn_impl")


def _parse_field(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Parse `NAME=VALUE`; a value that is not JSON is a string."""
    fields: dict[str, Any] = {}
    for text in values:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as temperature=0.7.")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields


@click.command()
@click.argument("text", nargs=-1)
@click.option("--file", "text_file", type=click.File("rb"), help="Read the text from a file.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to, in the format that its name ends in; - is standard output. Without it, a "
    "program of this machine plays the audio.",
)
@click.option("-f", "--format", "audio_format", help="Another format than FILE's name says.")
@click.option("--speaker", help="A speaker or a registered voice (`qwen-tts-api voices`).")
@click.option("--language", help="A language's name or code; the model decides without it.")
@click.option("--instruct", help="How to say it; for a VoiceDesign model, the voice.")
@click.option("--model", help="One of the server's models; with --in-process any checkpoint.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same audio.")
@click.option("--ssml", is_flag=True, default=None, help="The text is SSML: see docs/ssml.md.")
@click.option("--pause-marks", is_flag=True, default=None, help="[pause 1.5s] in it is a pause.")
@click.option("--speed", type=float, help="1 is the model's own.")
@click.option("--sample-rate", type=int, metavar="HZ", help="24000 is the model's own.")
@click.option("--srt", type=_FILE, help="Write subtitles (SubRip) to this file.")
@click.option("--vtt", type=_FILE, help="Write subtitles (WebVTT) to this file.")
@click.option("--times", type=_FILE, help="Write when each word is heard to this file, as JSON.")
@click.option(
    "--live-mode",
    type=click.Choice(LIVE_MODES),
    help="Of -: speak sentence by sentence, or each word as it comes (continuous), which the "
    "server's model has to be able to.",
)
@click.option(
    "--ref-audio", type=click.File("rb"), help="A recording whose voice a Base model clones."
)
@click.option("--ref-text", help="What is said in it.")
@click.option(
    "-p",
    "--field",
    "fields",
    multiple=True,
    callback=_parse_field,
    metavar="NAME=VALUE",
    help="Any other field of POST /api/tts, such as temperature=0.7. Repeatable.",
)
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Take the audio as it is made, or when it is finished. The former, unless it goes into a "
    "file in a compressed format.",
)
@server_options
@click.option("--in-process", is_flag=True, help="Load the model here instead of asking a server.")
@setting_options(*_PLACEMENT)
def say(
    text: tuple[str, ...],
    text_file: Any,
    output: str | None,
    audio_format: str | None,
    stream: bool | None,
    server: str | None,
    timeout: float,
    in_process: bool,
    ref_audio: Any,
    fields: dict[str, Any],
    options: dict[str, str],
    **named: Any,
) -> None:
    """Say TEXT; - speaks what comes on standard input, while it comes.

    \b
    qwen-tts-api say "Hello, I am here." --speaker Ryan -o hello.wav
    qwen-tts-api say --file chapter.txt -o chapter.wav
    llm "Tell me a story" | qwen-tts-api say -
    qwen-tts-api say --in-process --model nano --device cpu --dtype float32 Hello -o noise.wav
    """  # noqa: D301 - \b is click's mark of lines that stay lines
    _check_source(in_process, options)
    _check_output(output, audio_format)
    player = "" if output else find_player()
    audio_format = audio_format or format_of(output, player)
    document = {name: value for name, value in named.items() if value is not None} | fields
    document["audio_format"] = audio_format
    files = {name: document.pop(name) for name in _TIMES if name in document}
    _check_times(files, document.get("live_mode"))
    document |= {"timestamps": True} if files else {}
    is_whole = text != (STANDARD_STREAM,) or text_file is not None or stream is False
    is_whole = is_whole or any(document.get(name) for name in _NEED_WHOLE_TEXT)
    pipe = None if is_whole else _open_pipe()
    _check_live_mode(document.get("live_mode"), is_pipe=pipe is not None, in_process=in_process)
    if pipe is None:
        document["text"] = _read_text(text, text_file)
    if stream is None:
        stream = is_streamed(audio_format, to_file=output not in (None, STANDARD_STREAM))
    document |= {"stream": True} if stream else {}
    if ref_audio is not None:
        document["ref_audio"] = base64.b64encode(ref_audio.read()).decode()
    if in_process and (model := document.pop("model", None)):
        options["QWEN_MODEL_ID"] = model
    rate_hz = document.get("sample_rate") or NATIVE_RATE_HZ
    client = None if in_process else ServerClient(server, timeout)
    sink = open_output(output, player, rate_hz)
    answer = _speak(document, pipe, client, options, sink, output or player)
    if files:
        from qwen_tts_api.cli.times import write_times

        assert answer.times is not None
        write_times(files, answer.times)


def _speak(
    document: dict[str, Any],
    pipe: IO[bytes] | None,
    client: ServerClient | None,
    options: dict[str, str],
    output: AbstractContextManager[Write],
    target: str,
) -> Answer:
    from qwen_tts_api.cli.progress import ProgressLine
    from qwen_tts_api.cli.speech import loaded_model, speak_by_server

    with ExitStack() as stack:
        progress = stack.enter_context(
            ProgressLine(document["audio_format"], document.get("sample_rate"))
        )
        progress.say("waiting")
        if client is not None:
            speak: Speak = partial(speak_by_server, client)
        else:
            speak = stack.enter_context(loaded_model(document, options, progress))
        if pipe is None:
            source = speak(document)
        else:
            source = _speak_pipe(
                pipe, client, speak, document, progress, in_real_time=target in PLAYERS
            )
        with source as answer, output as write:
            for chunk in answer.chunks:
                write(chunk)
                progress.add(len(chunk))
        progress.close(f"{target}: {progress.summary}, seed {answer.seed}, model {answer.model}")
    if message := _CUT.get(answer.finish_reason):
        click.echo(message, err=True)
    return answer


def _speak_pipe(
    pipe: IO[bytes],
    client: ServerClient | None,
    speak: Speak,
    document: dict[str, Any],
    progress: ProgressLine,
    *,
    in_real_time: bool,
) -> AbstractContextManager[Answer]:
    from qwen_tts_api.cli.live.speech import speak_pipe
    from qwen_tts_api.cli.live.words import speak_words

    mode = document.pop("live_mode", "segments")
    if client is not None and mode == "continuous":
        return speak_words(pipe, client, document, progress, in_real_time=in_real_time)
    return speak_pipe(pipe, speak, document, progress, in_real_time=in_real_time)


def _check_source(in_process: bool, options: dict[str, str]) -> None:
    context = click.get_current_context()
    if in_process and context.get_parameter_source("server") == ParameterSource.COMMANDLINE:
        raise click.UsageError("Give --server or --in-process, not both.")
    if options and not in_process:
        [option, *_] = [option_of(name) for name in _PLACEMENT if variable_of(name) in options]
        raise click.UsageError(f"{option} is the server's to choose: give --in-process, too.")


def _check_live_mode(mode: str | None, *, is_pipe: bool, in_process: bool) -> None:
    if mode is not None and not is_pipe:
        raise click.UsageError(
            "--live-mode is for a text that is still being written: pipe it into `say -`."
        )
    if mode == "continuous" and in_process:
        raise click.UsageError("--live-mode continuous needs a server.")


def _check_output(output: str | None, audio_format: str | None) -> None:
    if audio_format and not output:
        raise click.UsageError("--format needs -o: what is played has a format of its own.")
    if output and output != STANDARD_STREAM:
        _check_folder(Path(output))
    if output == STANDARD_STREAM and sys.stdout.isatty():
        raise click.UsageError("Standard output is a terminal: send it to a file or a program.")


def _check_times(files: dict[str, Path], live_mode: str | None) -> None:
    if files and live_mode == "continuous":
        raise click.UsageError(
            f"--{next(iter(files))} needs sentences: leave --live-mode continuous out."
        )
    for path in files.values():
        _check_folder(path)


def _check_folder(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {str(path.parent)!r} to write to.")


def _read_text(words: tuple[str, ...], file: Any) -> str:
    if bool(words) == (file is not None):
        raise click.UsageError("Give a text, - for standard input, or --file.")
    if file is None and words != (STANDARD_STREAM,):
        return " ".join(words)
    data: bytes = (file or sys.stdin.buffer).read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"The text is not UTF-8: {error}.") from error


def _open_pipe() -> IO[bytes] | None:
    """Return standard input if it is no file, so that more of it may come; unbuffered.

    A thread that waits for a buffered one keeps the process from ending.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # it is closed, or no stream of the system
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    return open(descriptor, "rb", buffering=0, closefd=False)
