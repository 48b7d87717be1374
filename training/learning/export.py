"""Export a trained network as a policy artifact: ONNX, any number of lanes, calls, artifacts and attempts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fqg_env.fields import OBSERVATION_VERSION
from policies.onnx_runtime import onnxruntime
from policies.recovery.policy_file import ATTENTION, OUTPUTS, Manifest, write_policy_file
from training.learning.card import CARD_FILE, card
from training.learning.inputs import INPUT_SHAPES
from training.learning.pointer_network import Conductor

AXES = {
    **{
        name: {i: length for i, length in enumerate(shape) if isinstance(length, str)}
        for name, shape in INPUT_SHAPES.items()
    },
    "logits": {0: "N", 1: "actions"},
    "success": {0: "N"},
    "strangeness": {0: "N"},
    ATTENTION: {0: "N", 2: "L", 3: "L"},
}
"""Lengths that may be any number, of what goes in and comes out."""
ROUNDING = 1e-4
"""How far the exported graph may be from the network, as a share of its largest logit."""


def example(
    names: Sequence[str], n: int, calls: int, artifacts: int, attempts: int
) -> tuple[torch.Tensor, ...]:
    """Random inputs of a network, in its order."""
    lengths = {"N": n, "C": calls, "A": artifacts, "actions": 2 + calls, "T": attempts}
    shapes = [[lengths[x] if isinstance(x, str) else x for x in INPUT_SHAPES[k]] for k in names]
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(shape, generator=generator) for shape in shapes)


def to_onnx(conductor: Conductor) -> bytes:
    """The conductor as an ONNX graph with dynamic axes (see AXES)."""
    conductor = conductor.cpu().eval()
    names = conductor.network.inputs
    outputs = OUTPUTS if "history" not in names else (*OUTPUTS, ATTENTION)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the TorchScript exporter needs onnx alone; torch announces its successor at every call
        warnings.simplefilter("ignore")
        torch.onnx.export(
            conductor,
            example(names, 2, 6, 5, 3),
            buffer,  # type: ignore[arg-type]  # this exporter writes to buffers, whatever its types say
            input_names=list(names),
            output_names=list(outputs),
            dynamic_axes={name: AXES[name] for name in (*names, *outputs)},
            opset_version=17,
            dynamo=False,
        )
    return buffer.getvalue()


def inputs_of(session: Any) -> tuple[str, ...]:
    """What a graph reads: without messages it has no use for relations, and the exporter leaves them out."""
    return tuple(entry.name for entry in session.get_inputs())


def largest_difference(
    conductor: Conductor, model: bytes, inputs: tuple[torch.Tensor, ...]
) -> float:
    """Largest difference between the logits of torch and of ONNX Runtime, as a share of the largest logit."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        logits, *_ = conductor.cpu().eval()(*inputs)
    given = dict(zip(conductor.network.inputs, inputs, strict=True))
    feed = {name: given[name].numpy() for name in inputs_of(session)}
    answer = session.run(["logits"], feed)[0]
    scale = max(1.0, float(logits.abs().max()))
    return float(np.abs(answer - logits.numpy()).max()) / scale


def export(
    conductor: Conductor,
    folder: Path,
    name: str,
    recipe: dict[str, Any],
    results: dict[str, Any] | None = None,
    max_calls: int = 64,
    strange_above: float | None = None,
) -> Manifest:
    """Write the artifact.

    Raises:
        RuntimeError: the exported graph does not answer what the network answers.
    """
    model = to_onnx(conductor)
    for lengths in ((16, 8, 7), (32, 16, 32), (9, 5, 1)):
        inputs = example(conductor.network.inputs, 3, *lengths)
        difference = largest_difference(conductor, model, inputs)
        if not difference <= ROUNDING:  # nor no number
            raise RuntimeError(f"the exported graph differs from the network by {difference:.2g}")
    manifest = write_policy_file(
        folder,
        model,
        {
            "name": name,
            "observation_version": OBSERVATION_VERSION,
            "inputs": inputs_of(onnxruntime.InferenceSession(model)),
            "recipe": recipe,
            "results": results or {},
            "max_calls": max_calls,
            "strange_above": strange_above,
        },
    )
    (folder / CARD_FILE).write_text(card(manifest), "utf-8")
    return manifest
