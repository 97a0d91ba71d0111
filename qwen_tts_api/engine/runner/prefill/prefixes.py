"""The beginnings of prompts that others share: their keys and values, in memory of fixed size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor

from qwen_tts_api.engine.runner.interface import PrefixUses
from qwen_tts_api.engine.runner.prefill.prepared import PrefixKey
from qwen_tts_api.model.talker_cache import TalkerCache

Places = Sequence[int]
"""Where in the store a prefix has its positions, in their order."""


class PrefixCache:
    """Where prefixes are in a store; the least recently used ones go where there is no room.

    A place is one position, so that nothing is lost to fragments. The engine's thread finds, makes
    room and adds; any thread may forget.

    Args:
        cache: Tells the shapes.
        num_positions: How many the store has.

    Attributes:
        store: `[L, num_positions, 2 * H_kv, head_dim]`.
        uses: How often a prefix was found.
    """

    def __init__(self, cache: TalkerCache, num_positions: int) -> None:
        layers, _, _, *position = cache.key_value.shape
        self.store: Tensor = cache.key_value.new_zeros(layers, num_positions, *position)
        self.uses = PrefixUses()
        self._lock = threading.Lock()
        self._free = list(range(num_positions))
        self._entries: OrderedDict[PrefixKey, Places] = OrderedDict()

    def __contains__(self, key: PrefixKey) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: PrefixKey) -> Places:
        """Return where a prefix is, or nothing; it is now the most recently used one."""
        with self._lock:
            if key not in self._entries:
                self.uses.misses += 1
                return ()
            self.uses.hits += 1
            self._entries.move_to_end(key)
            return self._entries[key]

    def make_room(self, num_positions: int) -> Places:
        """Reserve free places, evicting prefixes; return none if there are not so many."""
        with self._lock:
            while len(self._free) < num_positions and self._entries:
                _, places = self._entries.popitem(last=False)
                self._free += places
            if len(self._free) < num_positions:
                return ()
            first = len(self._free) - num_positions
            self._free, places = self._free[:first], self._free[first:]
            return places

    def add(self, key: PrefixKey, places: Places) -> None:
        """Add a prefix that has been written to places; it is not there yet."""
        with self._lock:
            self._entries[key] = places

    def give_back(self, places: Places) -> None:
        """Return places to which nothing was written."""
        with self._lock:
            self._free += places

    def forget(self, reference: str) -> None:
        """Forget all that begins with a recording, by the key of that."""
        with self._lock:
            for key in [key for key in self._entries if key.reference == reference]:
                self._free += self._entries.pop(key)
