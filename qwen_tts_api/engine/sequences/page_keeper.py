"""Allocates pages to sequences as they grow, and pauses those for which none is free."""

from __future__ import annotations

from collections import deque

from qwen_tts_api.engine.memory.pages import PageBank
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.sequences.sequence import Sequence, page_need


class PageKeeper:
    """Keeps the runner's slots in step with the page bank.

    Args:
        runner: Has the slots.
        bank: Counts its pages.
    """

    def __init__(self, runner: Runner, bank: PageBank) -> None:
        self._runner = runner
        self._bank = bank

    def admit_next(self, prepared: deque[Sequence]) -> tuple[list[Sequence], bool]:
        """Take sequences to be prefilled together, in order, and reserve their first pages.

        Args:
            prepared: Those that wait; the first ones are removed, up to `max_prefill_positions`.

        Returns:
            Those that were taken, and whether the next one lacks pages.
        """
        batch: list[Sequence] = []
        while prepared:
            prompts = [each.prepared for each in (*batch, prepared[0])]
            num_positions = self._runner.num_prefill_positions(prompts)
            if batch and num_positions > self._runner.max_prefill_positions:
                break
            if not self._admit(prepared[0]):
                return batch, True
            batch.append(prepared.popleft())
        return batch, False

    def _admit(self, sequence: Sequence) -> bool:
        need = page_need(sequence, self._runner.page_positions)
        sequence.num_pages = need.first
        return self._bank.admit(sequence, need)

    def has_page(self, sequence: Sequence) -> bool:
        """Return whether a sequence has the page for its next frame; pause or resume its slot."""
        position = sequence.num_positions + sequence.launched
        num_pages = position // self._runner.page_positions + 1
        granted = num_pages <= sequence.num_pages or self._bank.grow(sequence, num_pages)
        if granted and num_pages > sequence.num_pages:
            self._runner.grow(sequence.slot, num_pages)
            sequence.num_pages = num_pages
        if granted == sequence.waits_for_page:
            (self._runner.resume if granted else self._runner.pause)(sequence.slot)
            sequence.waits_for_page = not granted
        return granted
