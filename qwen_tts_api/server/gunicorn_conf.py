"""gunicorn's settings: one worker process with the model, many threads that wait for it.

Used by a checkout's `gunicorn.conf.py` and by `qwen-tts-api serve`:

    gunicorn -c python:qwen_tts_api.server.gunicorn_conf qwen_tts_api.server.wsgi:app
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from gunicorn.errors import HaltServer

from qwen_tts_api.config import Config
from qwen_tts_api.errors import EXIT_CANNOT_START, EXIT_LOST, ConfigError
from qwen_tts_api.server.limits import raise_limit
from qwen_tts_api.server.signals import ignore_in_master, ignore_until_started, reset_in_worker
from qwen_tts_api.server.starting import WORKER_CLASS, check_start
from qwen_tts_api.telemetry.log_stream import open_standard_streams
from qwen_tts_api.telemetry.logs import logging_config

open_standard_streams()
nohup = ignore_until_started()
raise_limit()
try:
    settings = Config.from_env()
except ConfigError as error:
    sys.stderr.write(f"qwen-tts-api cannot start: {error}\n")
    sys.exit(EXIT_CANNOT_START)

bind = settings.bind
workers = 1
worker_class = WORKER_CLASS
threads = settings.num_threads
keepalive = settings.keepalive_s
# For the heartbeat of the worker's main loop; that of requests is QWEN_REQUEST_TIMEOUT_S.
timeout = 60
# After which the master kills the worker. The worker itself keeps to QWEN_GRACEFUL_TIMEOUT_S, and
# then needs a second to notice, one for the engines, two to export the last spans.
graceful_timeout = int(settings.graceful_timeout_s) + 5
# A heartbeat file on a disk can block the worker for seconds.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
control_socket_disable = True
# gunicorn's maximum: Coqui's and MaryTTS's clients send the text in the query.
limit_request_line = 8190
# By default a client on this machine may set its path by the headers SCRIPT_NAME and PATH_INFO.
forwarder_headers = ""
# CUDA does not survive a fork: only the worker imports the application.
preload_app = False
accesslog = None
logconfig_dict = logging_config(settings.log_level, settings.log_format)
# What no line has is not looked up for each.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def on_starting(server: Any) -> None:
    """Check what gunicorn itself would report with a traceback, or retry; ignore reload signals."""
    try:
        check_start(settings, server.cfg)
    except ConfigError as error:
        server.log.error("qwen-tts-api cannot start: %s", error)
        sys.exit(EXIT_CANNOT_START)
    ignore_in_master(server, nohup=nohup)


def post_fork(server: Any, worker: Any) -> None:
    """Start the ops port, the Wyoming port, and loading the model in its own thread.

    Nothing may block here: the worker's signal handlers are not installed yet.
    """
    reset_in_worker()
    try:
        from qwen_tts_api.routes import EXTENSION, create_ops_app
        from qwen_tts_api.server.ops import start_ops_server
        from qwen_tts_api.server.wyoming.listener import WyomingServer

        service = worker.app.wsgi().extensions[EXTENSION]
        if settings.ops_bind:
            start_ops_server(settings, create_ops_app(service), worker.cfg)
        if settings.wyoming_bind:
            worker.wyoming = WyomingServer(settings, service)
            worker.wyoming.start()
    except ConfigError as error:
        server.log.error("qwen-tts-api cannot start: %s", error)
        sys.exit(EXIT_CANNOT_START)
    service.start()


def child_exit(server: Any, worker: Any) -> None:
    """Exit the master when the worker crashed, so that the orchestrator restarts the server."""
    if server.LISTENERS:
        raise HaltServer("The worker ended unexpectedly.", EXIT_LOST)
