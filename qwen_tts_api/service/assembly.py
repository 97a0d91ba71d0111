"""Put the real service together from the settings. Nothing is loaded before `start`."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import fields
from functools import partial

from qwen_tts_api.checkpoints import card
from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.engine.loading import LoadOptions, ModelLoader, load_runner
from qwen_tts_api.engine.pool import ModelPool, ProcessHooks
from qwen_tts_api.engine.roster import TURN_S, PoolSettings
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.errors import (
    EXIT_CANNOT_START,
    EXIT_LOST,
    ConfigError,
    StartupError,
    UnknownLanguage,
)
from qwen_tts_api.service.models import (
    AUTO,
    default_speaker,
    display_name,
    find_speaker,
    resolve_language,
)
from qwen_tts_api.service.request import FULL
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.service.text.verbalize.verbalizer import find_language, make_verbalizer
from qwen_tts_api.telemetry.tracing import Tracer, tracer_from_env

logger = logging.getLogger(__name__)

LAST_ANSWERS_S = 0.5
"""How long the requests that a lost device failed have to be answered."""


def build_service(
    config: Config, on_startup_failure: Callable[[StartupError], None] | None = None
) -> SpeechService:
    """Return the service that `config` describes, with nothing started.

    Args:
        config: The settings.
        on_startup_failure: Called in the engine's thread if the default model cannot be loaded;
            `exit_process` if None.
    """
    options = LoadOptions(
        device=config.device,
        dtype=config.dtype,
        attention=config.attn_impl,
        cache_dir=config.cache_dir,
        max_streams=config.max_streams,
        max_positions=config.max_positions,
        enforce_eager=config.enforce_eager,
        kernels=config.kernels,
    )

    def load(
        model_id: str, report: Callable[[str], None], await_place: Callable[[], None]
    ) -> Runner:
        def check(card: ModelCard) -> None:
            if model_id == config.model_id:
                check_default_model(config, card)

        runner = load_runner(model_id, options, check, report, await_place)
        prepare_wording(config, runner.card)
        return runner

    tracer = tracer_from_env()
    pool = ModelPool(
        config.served_models,
        ModelLoader(load, lambda model_id: card.describe(model_id, config.cache_dir)),
        PoolSettings(
            max_loaded=config.max_loaded_models,
            max_queue=config.max_queue,
            hang_timeout_s=config.hang_timeout_s,
            turn_s=min(TURN_S, config.request_timeout_s / 4),
            idle_unload_s=config.idle_unload_s or math.inf,
        ),
        ProcessHooks(
            on_startup_failure=on_startup_failure or exit_process,
            on_fatal=lambda: exit_lost_process(tracer),
        ),
    )
    return SpeechService(config, pool, tracer)


def prepare_wording(config: Config, card: ModelCard) -> threading.Thread | None:
    """Compile the patterns of numbers and the like in a thread, if every text needs them.

    It takes a tenth of a second a language, for which the first request would wait. Earlier, the
    model would wait for it: importing PyTorch needs the interpreter, too.

    Returns:
        The thread; None where texts are spoken as they are written.
    """
    letters_only = bool(config.normalize_text) and card.letters_only
    if not (letters_only or config.normalize_text == FULL):
        return None
    try:
        language = resolve_language(config.default_language, card)
    except UnknownLanguage:  # of a model besides the default one
        return None
    names = card.languages if language == AUTO else (language,)
    languages = filter(None, (find_language(name, "") for name in names))
    make = partial(make_verbalizer, letters_only=letters_only)
    thread = threading.Thread(target=lambda: [*map(make, languages)], name="wording", daemon=True)
    thread.start()
    return thread


def check_default_model(config: Config, card: ModelCard) -> None:
    """Check the settings' defaults against the default model; log a speaker that stands in.

    Raises:
        ConfigError: As `check_defaults`.
    """
    if substitute := check_defaults(config, card):
        logger.warning(
            "the model has no speaker %s; the default is %s", config.default_speaker, substitute
        )


def check_defaults(config: Config, card: ModelCard) -> str | None:
    """Refuse default language and speaker that the default model does not have.

    The shipped default speaker is no promise about other checkpoints: where the model lacks it, its
    first speaker is the default.

    Returns:
        That first speaker, or None where the model has the default speaker or none at all.

    Raises:
        ConfigError: QWEN_DEFAULT_LANGUAGE or QWEN_DEFAULT_SPEAKER cannot be used.
    """
    try:
        resolve_language(config.default_language, card)
    except UnknownLanguage as error:
        raise ConfigError(f"QWEN_DEFAULT_LANGUAGE: {error.message}") from error
    aliases = config.speakers_by_alias
    if not card.speakers or find_speaker(config.default_speaker, card, aliases):
        return None
    shipped = {setting.name: setting.default for setting in fields(Config)}["default_speaker"]
    if config.default_speaker != shipped:
        allowed = ", ".join(map(display_name, card.speakers))
        raise ConfigError(
            f"QWEN_DEFAULT_SPEAKER={config.default_speaker!r} is not a speaker of the model; "
            f"allowed are {allowed}."
        )
    return display_name(default_speaker(config.default_speaker, card, aliases))


def exit_process(failure: StartupError) -> None:
    """End the process, and with it gunicorn's master; the engine has logged the failure."""
    logger.debug("ending the process over %r", failure)
    logging.shutdown()
    os._exit(EXIT_CANNOT_START)


def exit_lost_process(tracer: Tracer | None) -> None:
    """End a process that cannot compute any more, when what it said last has been sent."""
    threading.Timer(LAST_ANSWERS_S, _exit_lost, [tracer]).start()


def _exit_lost(tracer: Tracer | None) -> None:
    if tracer is not None:
        tracer.close(LAST_ANSWERS_S)
    logging.shutdown()
    os._exit(EXIT_LOST)
