"""Settings are read strictly, and described the same everywhere."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from qwen_tts_api.config import Config
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.names import shown
from tests.rows import for_each

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {f"QWEN_{setting.name.upper()}": setting for setting in dataclasses.fields(Config)}


def test_defaults_are_the_published_model_on_a_gpu() -> None:
    """An empty environment serves 1.7B CustomVoice on the first GPU, on port 8888."""
    config = Config.from_env({})
    assert config == Config()
    assert config.model_id == "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"
    assert (config.device, config.dtype, config.attn_impl) == (
        "cuda:0",
        "bfloat16",
        "flash_attention_2",
    )
    assert config.bind == "0.0.0.0:8888"
    assert config.served_models == {config.model_id: config.model_id}


def test_values_are_read() -> None:
    """Every kind of value: choice in any case, number, pair list, path."""
    config = Config.from_env(
        {
            "QWEN_DEVICE": "CUDA",
            "QWEN_DTYPE": "Float32",
            "QWEN_MAX_QUEUE": "7",
            "QWEN_REQUEST_TIMEOUT_S": "1.5",
            "QWEN_SPEAKER_ALIASES": "p376=Ryan, p225 = Serena",
            "QWEN_CACHE_DIR": "/cache",
            "PATH": "/bin",
        }
    )
    assert (config.device, config.dtype) == ("cuda:0", "float32")
    assert (config.max_queue, config.request_timeout_s) == (7, 1.5)
    assert config.speaker_aliases == (("p376", "Ryan"), ("p225", "Serena"))
    assert config.cache_dir == Path("/cache")


@for_each(
    ("name", "value"),
    [
        ("QWEN_MODEL_ID", " "),
        ("QWEN_MODELS", "a=b,a=c"),
        ("QWEN_MAX_LOADED_MODELS", "0"),
        ("QWEN_DEVICE", "gpu"),
        ("QWEN_DTYPE", "int8"),
        ("QWEN_ATTN_IMPL", "flash"),
        ("QWEN_DEFAULT_LANGUAGE", ""),
        ("QWEN_DEFAULT_SPEAKER", ""),
        ("QWEN_DEFAULT_INSTRUCT", "a" * 4097),
        ("QWEN_SPEAKER_ALIASES", "p376"),
        ("QWEN_UNKNOWN_SPEAKER", "ignore"),
        ("QWEN_VOICE_UPLOADS", "no"),
        ("QWEN_MAX_VOICES", "0"),
        ("QWEN_MAX_VOICES", "9" * 5000),
        ("QWEN_MAX_AUDIO_BYTES", "10M"),
        ("QWEN_BIND", "8888"),
        ("QWEN_BIND", "0.0.0.0:99999"),
        ("QWEN_MAX_TEXT_CHARS", "many"),
        ("QWEN_MAX_BODY_BYTES", "-1"),
        ("QWEN_MAX_STREAMS", "0"),
        ("QWEN_MAX_POSITIONS", "100"),
        ("QWEN_ENFORCE_EAGER", "yes"),
        ("QWEN_MAX_QUEUE", "0"),
        ("QWEN_REQUEST_TIMEOUT_S", "nan"),
        ("QWEN_GRACEFUL_TIMEOUT_S", "0"),
        ("QWEN_CACHE_DIR", ""),
        ("QWEN_CACHE_DIR", "~nosuch/x"),
        ("QWEN_VOICES_DIR", "~nosuch/x"),
        ("QWEN_API_KEYS_FILE", "~nosuch/x"),
        ("QWEN_KEEPALIVE_S", "-1"),
        ("QWEN_LOG_LEVEL", "LOUD"),
        ("QWEN_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(
    name: str, value: str
) -> None:
    """The operator reads in one sentence what to change."""
    with pytest.raises(ConfigError) as raised:
        Config.from_env({name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}={shown(value)} is not allowed: ")
    assert SETTINGS[name].metadata["allowed"] in message


@pytest.mark.parametrize("name", ["QWEN_DEFAULT_INSTRUCT", "QWEN_MODEL_ID", "QWEN_MAX_QUEUE"])
def test_a_value_that_is_no_utf8_is_refused(name: str) -> None:
    """Else every request would be refused for an `instruct` that it does not have."""
    with pytest.raises(ConfigError, match=rf"{name}='fr\\udcf6hlich' is not .* UTF-8"):
        Config.from_env({name: b"fr\xf6hlich".decode("utf-8", "surrogateescape")})


def test_the_cache_may_be_the_folder_that_the_server_is_started_in() -> None:
    """A path without parts."""
    assert Config.from_env({"QWEN_CACHE_DIR": "."}).registry_dir == Path("voices")


def test_a_user_without_a_home_needs_a_cache() -> None:
    """As in a container whose user is a bare number."""
    code = (
        "import os, pwd; os.environ.pop('HOME', None); "
        "pwd.getpwuid = lambda uid: (_ for _ in ()).throw(KeyError(uid)); "
        "from qwen_tts_api.config import Config; "
        "print(Config.from_env({'QWEN_CACHE_DIR': '/x'}).cache_dir); Config.from_env({})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stdout == "/x\n"
    assert "ConfigError: QWEN_CACHE_DIR is needed" in result.stderr


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    """A misspelt setting is an error, not silence."""
    with pytest.raises(ConfigError, match=r"QWEN_DEVCE is not .*did you mean QWEN_DEVICE\?"):
        Config.from_env({"QWEN_DEVCE": "cpu"})
    with pytest.raises(ConfigError, match=r"QWEN_ZZZ is not .*known are QWEN_MODEL_ID"):
        Config.from_env({"QWEN_ZZZ": "1"})


def test_what_kubernetes_injects_is_passed_over() -> None:
    """A Service called qwen-tts-api puts these into every pod; a typo like QWEN_PORT stays one."""
    injected = {
        "QWEN_TTS_API_SERVICE_HOST": "10.0.0.1",
        "QWEN_TTS_API_SERVICE_PORT": "8888",
        "QWEN_TTS_API_SERVICE_PORT_HTTP": "8888",
        "QWEN_TTS_API_PORT": "tcp://10.0.0.1:8888",
        "QWEN_TTS_API_PORT_8888_TCP": "tcp://10.0.0.1:8888",
        "QWEN_TTS_API_PORT_8888_TCP_PROTO": "tcp",
        "QWEN_TTS_API_PORT_8888_TCP_PORT": "8888",
        "QWEN_TTS_API_PORT_8888_TCP_ADDR": "10.0.0.1",
    }
    assert Config.from_env(injected) == Config()
    with pytest.raises(ConfigError):
        Config.from_env({"QWEN_PORT": "9000"})


def test_served_models_start_with_the_default_under_its_name() -> None:
    """`QWEN_MODELS` gives names to ids, to the default model's too."""
    config = Config.from_env(
        {"QWEN_MODEL_ID": "/models/a", "QWEN_MODELS": "Qwen/other,voice=/models/a"}
    )
    assert config.default_model == "voice"
    assert config.served_models == {"voice": "/models/a", "Qwen/other": "Qwen/other"}


@for_each("name", [setting.name for setting in dataclasses.fields(Config)])
def test_every_setting_is_read(name: str) -> None:
    """By code that asks the configuration for it."""
    modules = (ROOT / "qwen_tts_api").rglob("*.py")
    assert any(re.search(rf"\w\.{name}\b", path.read_text()) for path in modules)


def test_configmap_is_the_code() -> None:
    """The ConfigMap spells out every setting with its default; only the cache is elsewhere."""
    path = ROOT / "deploy" / "k8s" / "configmap.yaml"
    data: dict[str, str] = yaml.safe_load(path.read_text())["data"]
    ours = {name: value for name, value in data.items() if name.startswith("QWEN_")}
    assert set(ours) == set(SETTINGS)
    config = Config.from_env(ours)
    assert config == dataclasses.replace(Config(), cache_dir=Path("/cache/qwen-tts-api"))
