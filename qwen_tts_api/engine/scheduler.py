"""Which rows compute what, frame by frame: continuous batching without a tensor in it.

Utterances join and leave between any two frames. One `step` is: forget who was cancelled, prepare
who is new (of recordings that must be encoded, one) and prefill them, make one frame of every
running row, and decode the frames that are due.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.row import Row
from qwen_tts_api.engine.runner.interface import Audio, Codes, Prepared, Runner
from qwen_tts_api.errors import TextTooLong, TTSError
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.telemetry.logs import LogContext, bound_context

logger = logging.getLogger(__name__)

FRAMES_PER_TEXT_TOKEN = 12
MIN_FRAME_BUDGET = 192
"""A text is given 12 frames (0.96 s) a token, at least 192 (15 s): 0.3 to 0.5 % of utterances never
reach the end of speech by themselves, and upstream's limit is eleven minutes of noise."""

MAX_PREFILL_POSITIONS = 1024
"""How much may be prefilled between two frames: more would stall the rows that run."""


class Scheduler:
    """The rows of one runner. Used by the thread that owns the runner, and by no other.

    Args:
        runner: Has no running row.
        explain: Turns what the runner raises about one utterance into the error that it ends with.
    """

    def __init__(self, runner: Runner, explain: Callable[[Exception], TTSError]) -> None:
        self.runner = runner
        self._explain = explain
        self._free = list(range(runner.max_rows))
        self._added: deque[Job] = deque()
        self._new: deque[Row] = deque()
        self._rows: dict[int, Row] = {}
        self._codes: deque[tuple[list[Row], Codes]] = deque()
        self._audio: deque[tuple[list[Row], Audio]] = deque()

    @property
    def num_free(self) -> int:
        """How many utterances can be added."""
        return len(self._free) - len(self._added)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._added and not self._new and not self._rows

    @property
    def num_running(self) -> int:
        """How many utterances are in rows."""
        return len(self._added) + len(self._new) + len(self._rows)

    @property
    def log_contexts(self) -> list[LogContext]:
        """Whose utterances are in rows."""
        rows = (*self._new, *self._rows.values())
        return [job.log_context for job in (*self._added, *(row.job for row in rows))]

    def add(self, job: Job) -> None:
        """Take a job in; the next steps give it a row. One that fits into none fails alone."""
        job.start()
        self._added.append(job)

    def _prepare(self) -> None:
        """Give rows to the jobs that were added; after a recording that is new, others wait.

        The lowest free row, so that few rows beyond the running ones are computed.
        """
        quick = True
        while self._added and quick:
            job = self._added.popleft()
            with bound_context(job.log_context):
                quick = self._prepare_job(job)

    def _prepare_job(self, job: Job) -> bool:
        """Give a row to a job, or fail it; return whether that was quick."""
        quick = True
        try:
            quick = self.runner.is_prompt_quick(job.prompt)
            prepared = self.runner.prepare(job.prompt)
            job.num_text_tokens = prepared.num_text_tokens
            max_frames = self._frame_budget(job.prompt, prepared)
        except Exception as error:  # a border: a prompt that cannot be built fails alone
            job.fail(self._explain(error))
            return quick
        row = heapq.heappop(self._free)
        self._new.append(Row(row, job, prepared, prepared.num_positions, max_frames))
        logger.debug(
            "row %d: %d positions, at most %d frames", row, prepared.num_positions, max_frames
        )
        return quick

    def _frame_budget(self, prompt: Prompt, prepared: Prepared) -> int:
        budget = max(MIN_FRAME_BUDGET, FRAMES_PER_TEXT_TOKEN * prepared.num_text_tokens)
        if prompt.max_new_tokens is not None:
            budget = min(budget, prompt.max_new_tokens - 1)
        room = self.runner.max_positions - prepared.num_positions
        if room < max(min(budget, MIN_FRAME_BUDGET), min(budget, prepared.num_trailing)):
            raise TextTooLong(
                f"The text takes {prepared.num_positions} of the {self.runner.max_positions} "
                "positions that an utterance may have (QWEN_MAX_POSITIONS), which leaves too few "
                "for speech: send it in parts."
            )
        return min(budget, room)

    def step(self) -> list[Job]:
        """Compute one frame of everything; return the jobs that were finished."""
        self._forget_cancelled()
        self._prepare()
        self._prefill()
        self._advance()
        num_earlier = len(self._audio)
        self._decode()
        return self._deliver(num_earlier)

    def fail_all(self, error: TTSError) -> None:
        """End every utterance with an error, and free its row."""
        self._codes.clear()
        self._audio.clear()
        rows = [*self._new, *self._rows.values()]
        for job in [*self._added, *(row.job for row in rows)]:
            job.fail(error)
        self._added.clear()
        self._new.clear()
        for row in rows:  # last: what a lost device raises keeps no client waiting
            self._release(row)

    def _forget_cancelled(self) -> None:
        for job in [job for job in self._added if job.cancelled]:
            self._added.remove(job)
        for row in [row for row in [*self._new, *self._rows.values()] if row.job.cancelled]:
            if row in self._new:
                self._new.remove(row)
            row.finish_reason = "cancelled"
            self._release(row)
            self._tell_end(row)

    def _prefill(self) -> None:
        batch: list[Row] = []
        while self._new:
            longest = max(row.num_positions for row in [*batch, self._new[0]])
            if batch and longest * (len(batch) + 1) > MAX_PREFILL_POSITIONS:
                break
            batch.append(self._new.popleft())
        if not batch:
            return
        for row in batch:
            self._rows[row.index] = row
        try:
            with bound_context(*[row.job.log_context for row in batch]):
                codes = self.runner.prefill(
                    [row.index for row in batch], [row.prepared for row in batch]
                )
        except Exception as error:  # a border: out of memory, say; rows that run are untouched
            for row in batch:
                with bound_context(row.job.log_context):
                    row.job.fail(self._explain(error))
                self._release(row)
            return
        for row in batch:
            row.prepared = None
        self._codes.append((batch, codes))
        self._learn(self.runner.lag)

    def _advance(self) -> None:
        """Launch a frame of every running row, then read the codes of earlier ones.

        With a lag, whether a row has ended is in codes that are not read yet: it gets one surplus
        frame. That harms nobody. The frame is never decoded (`valid_frames`), it is written into
        the row's own cache, at its last position at most, and a later utterance in the row begins
        by clearing what was written (`prefill`).
        """
        running = [row for row in self._rows.values() if self._runs(row)]
        if running:
            running.sort(key=lambda row: row.index)
            end = max(row.num_positions + row.launched for row in running) + 1
            codes = self.runner.advance([row.index for row in running], end)
            for row in running:
                row.launched += 1
            self._codes.append((running, codes))
        # Where nothing was launched there is nothing to overlap with, and no later call to read it.
        self._learn(self.runner.lag if running else 0)

    def _runs(self, row: Row) -> bool:
        return not row.finish_reason and row.launched < row.max_frames

    def _learn(self, lag: int) -> None:
        """Read the codes that were drawn, but for those of the last `lag` calls.

        To read the codes of a call makes the host wait for it. Those of the latest are left until
        the next is launched, so that the device computes while the host decides.
        """
        while len(self._codes) > lag:
            rows, codes = self._codes.popleft()
            for row, code in zip(rows, codes.read(), strict=True):
                if row.finish_reason:
                    continue
                if not row.drawn:
                    row.job.note_first_code()
                if code == self.runner.eos:
                    row.finish_reason = "stop"
                elif row.drawn == row.max_frames:
                    row.finish_reason = "length"
                else:
                    row.drawn += 1
                if row.finish_reason:
                    self.runner.stop(row.index)

    def _decode(self) -> None:
        """Begin to decode every chunk that is due, those of equal size together."""
        while due := self._due_chunks():
            for size, rows in due.items():
                audio = self.runner.decode(
                    [row.index for row in rows], [row.decoded for row in rows], size
                )
                for row in rows:
                    row.decoded += size
                    row.num_chunks += 1
                self._audio.append((rows, audio))

    def _due_chunks(self) -> dict[int, list[Row]]:
        due: dict[int, list[Row]] = {}
        for row in self._rows.values():
            waiting = row.valid_frames - row.decoded
            size = self._chunk_size(row)
            if row.finish_reason:
                fitting = [size for size in self.runner.chunk_sizes if size <= waiting]
                size = fitting[-1] if fitting else 0
            if size and waiting >= size:
                due.setdefault(size, []).append(row)
        return due

    def _chunk_size(self, row: Row) -> int:
        """Return how many frames make the next piece: few at first, and more under load.

        A ramp that starts at one frame costs little while few rows run, and is heard soonest; with
        more rows, pieces that small would take longer than they sound.
        """
        sizes = self.runner.chunk_sizes
        if not row.job.prompt.streaming:
            return sizes[-1]
        start = 0 if len(self._rows) <= 4 else 1 if len(self._rows) <= 16 else 2
        return sizes[min(start + row.num_chunks, len(sizes) - 2)]

    def _deliver(self, num_earlier: int) -> list[Job]:
        """Hand over what has been decoded, and finish what is complete.

        Where there is a lag, only what earlier steps began, which the next frame hides the wait
        for; unless there is no next frame.
        """
        waits = self.runner.lag and any(self._runs(row) for row in self._rows.values())
        for _ in range(num_earlier if waits else len(self._audio)):
            rows, audio = self._audio.popleft()
            for row, samples in zip(rows, audio.read(), strict=True):
                row.job.write(samples)
        in_flight: set[int] = {id(row) for rows, _ in self._audio for row in rows}
        finished = []
        for row in list(self._rows.values()):
            complete = row.finish_reason and row.decoded == row.valid_frames
            if complete and id(row) not in in_flight:
                row.job.finish(row.finish_reason)
                finished.append(row.job)
                self._release(row)
                self._tell_end(row)
        return finished

    def _tell_end(self, row: Row) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            with bound_context(row.job.log_context):
                logger.debug("row %d: %s after %d frames", row.index, row.finish_reason, row.drawn)

    def _release(self, row: Row) -> None:
        if self._rows.pop(row.index, None) is not None:
            self.runner.stop(row.index)
        heapq.heappush(self._free, row.index)
