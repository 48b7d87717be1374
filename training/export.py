"""Export a trained set network as a policy artifact: ONNX, any number of lanes, calls and artifacts."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from fqg_env.fields import OBSERVATION_VERSION
from policies.recovery.policy_file import OUTPUTS, Manifest, write_policy_file
from training.card import CARD_FILE, card
from training.set_network import INPUT_SHAPES, INPUTS, Conductor

AXES = {
    **{
        name: {i: length for i, length in enumerate(shape) if isinstance(length, str)}
        for name, shape in INPUT_SHAPES.items()
    },
    "logits": {0: "N", 1: "actions"},
    "success": {0: "N"},
    "strangeness": {0: "N"},
}
"""Lengths that may be any number, of what goes in and comes out."""
ROUNDING = 1e-4
"""How far the exported graph may be from the network, as a share of its largest logit."""


def example(n: int, calls: int, artifacts: int) -> tuple[torch.Tensor, ...]:
    """Random inputs of the network, in its order."""
    lengths = {"N": n, "C": calls, "A": artifacts, "actions": 2 + calls}
    shapes = {
        name: [lengths[x] if isinstance(x, str) else x for x in INPUT_SHAPES[name]]
        for name in INPUTS
    }
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(shapes[name], generator=generator) for name in INPUTS)


def to_onnx(conductor: Conductor) -> bytes:
    """The conductor as an ONNX graph with dynamic axes (see AXES)."""
    conductor = conductor.cpu().eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # the TorchScript exporter needs onnx alone; torch announces its successor at every call
        warnings.simplefilter("ignore")
        torch.onnx.export(
            conductor,
            example(2, 6, 5),
            buffer,  # type: ignore[arg-type]  # this exporter writes to buffers, whatever its types say
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=AXES,
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
    given = dict(zip(INPUTS, inputs, strict=True))
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
    for calls, artifacts in ((16, 8), (32, 16), (9, 5)):
        difference = largest_difference(conductor, model, example(3, calls, artifacts))
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
