"""Continuous batching: decides which sequences are computed in each step. Has no tensors.

Jobs join and leave between any two frames. One `step` removes cancelled sequences, prepares new
jobs (at most one whose recording must be encoded), prefills those for which pages are free,
generates one frame of every running sequence that has a page for it, and decodes due chunks.
"""

from __future__ import annotations

import heapq
import logging
import operator
from collections import deque
from collections.abc import Callable

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.pages import PageBank
from qwen_tts_api.engine.runner.interface import Audio, Codes, Runner
from qwen_tts_api.engine.sequences.loop_guard import LoopGuard
from qwen_tts_api.engine.sequences.page_keeper import PageKeeper
from qwen_tts_api.engine.sequences.sequence import (
    LOOP,
    RESTARTED,
    Sequence,
    due_chunks,
    frame_budget,
)
from qwen_tts_api.engine.sequences.text_feeder import TextFeeder, current_prompt
from qwen_tts_api.errors import TTSError
from qwen_tts_api.telemetry.context import LogContext, bound_context

logger = logging.getLogger(__name__)


class Scheduler:
    """The sequences in the slots of one runner. Used only by the thread that owns the runner.

    Args:
        runner: None of its slots is running.
        explain: Converts what the runner raises about a job into the error that the job ends with.

    Attributes:
        pages: Counts the pages of each sequence.
        lacks_pages: Whether a job that was added waits for pages.
    """

    def __init__(self, runner: Runner, explain: Callable[[Exception], TTSError]) -> None:
        self.runner = runner
        self._explain = explain
        self.pages = PageBank(runner.num_pages)
        self._keeper = PageKeeper(runner, self.pages)
        self._feeder = TextFeeder(runner, explain)
        self._free = list(range(runner.max_slots))
        self._added: deque[Job] = deque()
        self._prepared: deque[Sequence] = deque()
        self.lacks_pages = False
        self._running: dict[int, Sequence] = {}
        self._codes: deque[tuple[list[Sequence], Codes]] = deque()
        self._audio: deque[tuple[list[Sequence], Audio]] = deque()

    @property
    def num_free(self) -> int:
        """How many jobs can be added; 0 while a job that was added waits for pages."""
        return 0 if self.lacks_pages else len(self._free) - len(self._added)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._added and not self._prepared and not self._running

    @property
    def awaits_text(self) -> bool:
        """Whether all jobs wait for text, so that there is nothing to compute until it arrives."""
        is_busy = self._prepared or self._audio or any(map(self._feeder.can_begin, self._added))
        is_starved = all(map(self._feeder.is_starved, self._running.values()))
        return not self.is_idle and not is_busy and is_starved

    @property
    def num_running(self) -> int:
        """How many jobs have been added and have not ended."""
        return len(self._added) + len(self._prepared) + len(self._running)

    @property
    def log_contexts(self) -> list[LogContext]:
        """The log contexts of these jobs."""
        jobs = (*self._added, *(each.job for each in self._sequences()))
        return [job.log_context for job in jobs]

    @property
    def _max_positions(self) -> int:
        """How many positions an utterance may have: a slot's maximum, or all pages if fewer."""
        return min(self.runner.max_positions, self.runner.num_pages * self.runner.page_positions)

    def _sequences(self) -> list[Sequence]:
        return [*self._prepared, *self._running.values()]

    def add(self, job: Job) -> None:
        """Add a job; one of the next steps gives it a slot."""
        job.start()
        self._added.append(job)

    def _prepare(self) -> None:
        """Prepare the jobs that were added, up to the first whose recording has to be encoded.

        Encoding takes longer than a frame: running sequences wait for one recording at most.
        """
        has_cached_voice = True
        while has_cached_voice and (job := next(filter(self._feeder.can_begin, self._added), None)):
            self._added.remove(job)
            with bound_context(job.log_context):
                has_cached_voice = self._prepare_job(job)

    def _prepare_job(self, job: Job) -> bool:
        """Assign a slot to a job, or fail it; return whether no recording had to be encoded."""
        has_cached_voice = True
        try:
            has_cached_voice = self.runner.has_cached_voice(job.prompt)
            prompt, version = current_prompt(job)
            prepared = self.runner.prepare(prompt)
            job.num_text_tokens = prepared.num_text_tokens
            max_frames = frame_budget(prompt, prepared, self._max_positions)
        except Exception as error:  # a boundary: other jobs are not affected
            job.fail(self._explain(error))
            return has_cached_voice
        # The lowest free slot: a batch computes all slots up to the highest running one.
        slot = heapq.heappop(self._free)
        sequence = Sequence(slot, job, prepared, prepared.num_positions, max_frames)
        sequence.num_tokens, sequence.text_version = prepared.num_text_tokens, version
        sequence.guard = LoopGuard(self.runner.card.token_per_frame)
        self._prepared.append(sequence)
        logger.debug(
            "slot %d: %d positions, at most %d frames", slot, prepared.num_positions, max_frames
        )
        return has_cached_voice

    def step(self) -> list[Job]:
        """Compute one frame of every sequence; return the jobs that were finished."""
        self._forget_cancelled()
        for sequence in self._running.values():
            self._feeder.update(sequence)
        self._prepare()
        self._prefill()
        self._advance()
        num_earlier = len(self._audio)
        self._decode()
        return self._deliver(num_earlier)

    def fail_all(self, error: TTSError) -> None:
        """End every job with an error, and release its slot."""
        self._codes.clear()
        self._audio.clear()
        sequences = self._sequences()
        for job in [*self._added, *(each.job for each in sequences)]:
            job.fail(error)
        self._added.clear()
        self._prepared.clear()
        self.lacks_pages = False
        for sequence in sequences:
            self.pages.release(sequence)
        for sequence in sequences:  # last: it raises if the device is lost
            self._release(sequence)

    def _forget_cancelled(self) -> None:
        for job in [job for job in self._added if job.cancelled]:
            self._added.remove(job)
        for sequence in [each for each in self._sequences() if each.job.cancelled]:
            if sequence in self._prepared:
                self._prepared.remove(sequence)
            sequence.finish_reason = "cancelled"
            self._release(sequence)
            sequence.log_end()

    def _prefill(self) -> None:
        """Prefill prepared sequences, as many as there is room for."""
        batch, self.lacks_pages = self._keeper.admit_next(self._prepared)
        if batch:
            self._running.update({each.slot: each for each in batch})
            self._launch_prefill(batch)
            self._collect_codes(self.runner.lag)

    def _launch_prefill(self, batch: list[Sequence]) -> None:
        """Prefill sequences together; where that fails, each by itself: others go on."""
        codes: Codes | None = None
        try:
            with bound_context(*[each.job.log_context for each in batch]):
                for sequence in batch:
                    self.runner.grow(sequence.slot, sequence.num_pages)
                codes = self.runner.prefill(
                    [each.slot for each in batch], [each.prepared for each in batch]
                )
        except Exception as error:  # a boundary (out of memory): running sequences go on
            if len(batch) == 1:
                with bound_context(batch[0].job.log_context):
                    batch[0].job.fail(self._explain(error))
                self._release(batch[0])
                return
            logger.warning("%d prompts failed together (%s): each by itself", len(batch), error)
        if codes is None:  # and what the error has held is released
            for sequence in batch:
                self._launch_prefill([sequence])
            return
        for sequence in batch:
            sequence.prepared = None
        self._codes.append((batch, codes))

    def _advance(self) -> None:
        """Launch a frame of every running sequence, then read the codes of the frame before.

        With a lag, the code that ends a sequence is read after one more frame of it was launched.
        That surplus frame is harmless: it is never decoded (`valid_frames`), and it is computed
        before the slot's pages are released.
        """
        running = list(filter(self._keeper.has_page, filter(self._runs, self._running.values())))
        if running:
            running.sort(key=operator.attrgetter("slot"))
            end = max([each.num_positions + each.launched for each in running]) + 1
            codes = self.runner.advance([each.slot for each in running], end)
            for sequence in running:
                sequence.launched += 1
            self._codes.append((running, codes))
        # If nothing was launched there is nothing to overlap with, and no later step may come.
        self._collect_codes(self.runner.lag if running else 0)

    def _runs(self, sequence: Sequence) -> bool:
        is_due = not sequence.finish_reason and sequence.launched < sequence.max_frames
        return is_due and not sequence.waits

    def _collect_codes(self, lag: int) -> None:
        """Read the sampled codes of all calls but the last `lag` ones.

        Reading blocks until the call has been computed. With a lag of 1 the codes of a call are
        read after the next one was launched, so that host and device work at the same time.
        """
        while len(self._codes) > lag:
            sequences, codes = self._codes.popleft()
            for sequence, code in zip(sequences, codes.read(), strict=True):
                if sequence.finish_reason:
                    continue
                if not sequence.sampled:
                    sequence.job.note_first_code()
                sequence.take(code, self.runner.eos)
                if sequence.finish_reason == LOOP and sequence.job.restart():
                    self._restart(sequence)
                elif sequence.finish_reason:
                    self._stop(sequence)

    def _restart(self, sequence: Sequence) -> None:
        """Restart a job with its new seed: release the slot, and queue the job first."""
        sequence.finish_reason = RESTARTED
        self._release(sequence)
        sequence.log_end()
        self._added.appendleft(sequence.job)

    def _decode(self) -> None:
        """Launch the decoding of all chunks that are due; chunks of equal size form a batch."""
        candidates = [*self._running.values()]
        while due := due_chunks(candidates, len(self._running), self.runner.chunk_sizes):
            for size, sequences in due.items():
                audio = self.runner.decode(
                    [each.slot for each in sequences], [each.decoded for each in sequences], size
                )
                for sequence in sequences:
                    sequence.decoded += size
                    sequence.num_chunks += 1
                self._audio.append((sequences, audio))
            candidates = [each for sequences in due.values() for each in sequences]

    def _deliver(self, num_earlier: int) -> list[Job]:
        """Write decoded audio to the jobs, and finish the jobs that are complete.

        With a lag, and while more frames are to come, only the audio of earlier steps is written
        (`num_earlier`): waiting for this step's audio would delay the launch of the next frame.
        """
        waits = self.runner.lag and any(map(self._runs, self._running.values()))
        for _ in range(num_earlier if waits else len(self._audio)):
            sequences, audio = self._audio.popleft()
            for sequence, samples in zip(sequences, audio.read(), strict=True):
                sequence.deliver(samples)
        in_flight = {id(each) for sequences, _ in self._audio for each in sequences}
        finished = []
        for sequence in list(self._running.values()):
            complete = sequence.finish_reason and sequence.decoded == sequence.valid_frames
            if complete and id(sequence) not in in_flight:
                sequence.job.finish(sequence.finish_reason)
                finished.append(sequence.job)
                self._release(sequence)
                sequence.log_end()
        return finished

    def _stop(self, sequence: Sequence) -> None:
        """Release a sequence's pages; it keeps its slot until its last audio is decoded."""
        self.pages.release(sequence)
        self.runner.stop(sequence.slot)

    def _release(self, sequence: Sequence) -> None:
        """Release a sequence's slot, and its pages if it still runs, as it does until stopped."""
        if sequence.slot in self._running:
            self._stop(sequence)
            del self._running[sequence.slot]
        heapq.heappush(self._free, sequence.slot)
