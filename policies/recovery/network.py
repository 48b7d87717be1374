"""NetworkPolicy: a trained network on ONNX Runtime, with masking, choice and the floor in our own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fqg_env.arrays import SIZES
from fqg_env.fields import Artifact, Call, Doubt, observation_dtype
from fqg_env.rules import FIRST_CALL, STOP
from policies.onnx_runtime import onnxruntime
from policies.recovery.base import FLOOR, Decision, Observation
from policies.recovery.features import (
    REACH_FIELDS,
    WAY_FIELDS,
    index_choice,
    network_inputs,
    trimmed,
)
from policies.recovery.policy_file import (
    ATTENTION,
    OUTPUTS,
    Manifest,
    PolicyFileError,
    read_policy_file,
)


def masked_softmax(logits: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[N, 2 + C] probabilities over the legal actions."""
    legal = mask > 0
    shifted = np.where(legal, logits, -np.inf)
    with np.errstate(invalid="ignore"):  # where a logit is infinite, the floor decides
        shifted = shifted - shifted.max(1, keepdims=True)
    weight = np.exp(shifted)
    out: np.ndarray = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    return out


def chance_as_it_is(observation: Observation) -> np.ndarray:
    """[N] the chance that every Essential goal lies there and is good: that of success where a run stops."""
    of_artifact = observation["artifacts"]
    essential = of_artifact[:, :, Artifact.ESSENTIAL] > 0
    there = (of_artifact[:, :, Artifact.PRESENT] > 0) & (of_artifact[:, :, Artifact.REJECTED] == 0)
    good = np.where(there, 1.0 - observation["doubt"][:, :, Doubt.BAD], 0.0)
    chance: np.ndarray = np.where(essential, good, 1.0).prod(1)
    return chance


def input_shapes(size: str) -> dict[str, tuple[int, ...]]:
    """Name of what a network may read -> shape of it on one board."""
    calls, artifacts = SIZES[size].calls, SIZES[size].artifacts
    dtype = observation_dtype(SIZES[size], True)
    return {
        **{name: dtype[name].shape for name in dtype.names or ()},
        "index": (calls + FIRST_CALL,),
        "ways": (calls, WAY_FIELDS),
        "reach": (artifacts, REACH_FIELDS),
    }


class NetworkPolicy:
    """A policy artifact that decides.

    Args:
        manifest: what it reads and when the floor decides.
        model: the ONNX graph.
        source: where it came from, for messages.

    Raises:
        PolicyFileError: the graph is not ONNX, or does not read and answer what the manifest says.
    """

    def __init__(self, manifest: Manifest, model: bytes, source: str):
        self.name = manifest.name
        self.manifest = manifest
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 (ONNX Runtime raises its own unrelated types)
            text = str(error).splitlines()[0][:120]
            raise PolicyFileError(
                f"{source}: its model is not a valid ONNX graph ({text}); export the policy again"
            ) from None
        reads = [entry.name for entry in self._session.get_inputs()]
        answers = [entry.name for entry in self._session.get_outputs()]
        if reads != list(manifest.inputs) or answers[: len(OUTPUTS)] != list(OUTPUTS):
            raise PolicyFileError(
                f"{source}: its model reads {', '.join(reads)} and not what the manifest says; "
                "export the policy again"
            )

        self._check_fields(source)

    def _check_fields(self, source: str) -> None:
        """The graph reads what there is here, and answers what is asked of it: tried on an empty board."""
        shapes = input_shapes("small")
        unknown = [name for name in self.manifest.inputs if name not in shapes]
        if unknown:
            raise PolicyFileError(
                f"{source}: its model reads {unknown[0]!r}, which nothing here is called; "
                "train or export it again"
            )
        zeros = {name: np.zeros((1, *shapes[name]), np.float32) for name in self.manifest.inputs}
        try:
            logits, success, strangeness = self.answers(zeros)
        except Exception as error:  # noqa: BLE001 (as above)
            text = str(error).splitlines()[0][:200]
            raise PolicyFileError(
                f"{source}: its model does not read what there is here ({text}); train or export it again"
            ) from None
        if (logits.shape, success.shape, strangeness.shape) != ((1, *shapes["index"]), (1,), (1,)):
            raise PolicyFileError(
                f"{source}: its model answers arrays of other shapes; train or export it again"
            )

    def answers(self, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """What the graph answers, see `OUTPUTS`; before masking."""
        return tuple(map(np.asarray, self._session.run(list(OUTPUTS), self.fed(inputs))))

    @staticmethod
    def fed(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs as the graph takes them: floats, the attempts that there were and no more."""
        cut = (
            (name, trimmed(value) if name == "history" else value) for name, value in inputs.items()
        )
        return {name: np.asarray(value, np.float32) for name, value in cut}

    @property
    def has_attention(self) -> bool:
        """It is a sequence model, and tells what it heeds."""
        return any(entry.name == ATTENTION for entry in self._session.get_outputs())

    def attention(self, observation: Observation, mask: np.ndarray) -> np.ndarray:
        """[N, heads, L, L] what each token heeds, see `ATTENTION`; of a policy that `has_attention`."""
        inputs = network_inputs(observation, mask, self.manifest.inputs)
        return np.asarray(self._session.run([ATTENTION], self.fed(inputs))[0])

    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """The likeliest legal action; the index rule's where the network is out of its depth."""
        inputs = network_inputs(observation, mask, self.manifest.inputs)
        logits, success, strangeness = self.answers(inputs)
        if (logits.shape, success.shape, strangeness.shape) != (mask.shape, *2 * [mask.shape[:1]]):
            raise ValueError("its graph answers arrays of other shapes; export the policy again")
        probabilities = masked_softmax(logits, mask)
        action = probabilities.argmax(1).astype(np.int64)
        source = np.full(len(mask), self.name, object)
        best = probabilities[np.arange(len(mask)), action]
        floor, why = self._out_of_depth(best, strangeness, observation)
        if floor.any():
            known = inputs.get("index")
            choice = index_choice(observation, mask) if known is None else known
            action[floor] = choice[floor].argmax(1)
            probabilities[floor] = choice[floor]
            source[floor] = FLOOR
        with np.errstate(over="ignore"):
            chance = 1.0 / (1.0 + np.exp(-success))
        if (stops := action == STOP).any():
            chance = np.where(stops, chance_as_it_is(observation), chance)
        return Decision(action, probabilities, source, chance, why)

    def _out_of_depth(
        self, best: np.ndarray, strangeness: np.ndarray, observation: Observation
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """[N] whether the floor decides, and why; no words where it nowhere does."""
        limit, most = self.manifest.strange_above, self.manifest.max_calls
        broken = ~np.isfinite(best)
        # Not `>`: what is no number is strange, too.
        strange = np.zeros_like(broken) if limit is None else ~(strangeness <= limit)
        calls = observation["calls"][:, :, Call.EXISTS].sum(1)
        large = calls > most
        floor: np.ndarray = broken | strange | large
        if not floor.any():
            return floor, None
        why = np.full(len(best), "", object)
        why[broken] = "the network answered numbers that are not finite"
        for i in np.flatnonzero(strange):
            told = f"{strangeness[i]:.3g}, where {limit:.3g} is the most"
            why[i] = f"the board is unlike those of its training: {told}"
        for i in np.flatnonzero(large):
            why[i] = f"there are {calls[i]:.0f} calls, its network is for {most}"
        return floor, why


def load(path: str | Path) -> NetworkPolicy:
    """The policy in a folder.

    Raises:
        PolicyFileError: one sentence says what is wrong with it.
    """
    manifest, model = read_policy_file(path)
    return NetworkPolicy(manifest, model, str(path))
