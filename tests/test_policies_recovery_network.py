"""A policy file whose graph is valid and wrong: refused when it is loaded, or the floor decides."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fqg_env.arrays import SIZES
from fqg_env.lanes import Lanes
from fqg_env.splits import level_key, source_of
from policies.recovery.base import FLOOR
from policies.recovery.index import Index
from policies.recovery.network import input_shapes, load
from policies.recovery.policy_file import PolicyFileError

onnx = pytest.importorskip("onnx", reason="comes with the extra `train`")
SHIPPED = Path(__file__).parent.parent / "policies" / "recovery" / "pretrained" / "shipped"


def written(
    folder: Path, name: str, width: int | None, kind: int, answers: int = 18, **values: float
) -> Path:
    """A policy whose graph reads one input and answers constants for a batch of one: 0, or these by name."""
    h = onnx.helper
    shape = ["n", width] if width is None or name == "index" else ["n", "c", width]
    read = h.make_tensor_value_info(name, kind, [one for one in shape if one is not None])
    given = [
        h.make_tensor_value_info(out, onnx.TensorProto.FLOAT, None)
        for out in ("logits", "success", "strangeness")
    ]
    sizes = {"logits": [1, answers], "success": [1], "strangeness": [1]}
    nodes = [h.make_node("Shape", [name], ["unused"])]
    for out in sizes:
        value = h.make_tensor("value", onnx.TensorProto.FLOAT, [1], [values.get(out, 0.0)])
        nodes.append(h.make_node("ConstantOfShape", [f"{out}_shape"], [out], value=value))
    shapes = [
        h.make_tensor(f"{out}_shape", onnx.TensorProto.INT64, [len(size)], size)
        for out, size in sizes.items()
    ]
    graph = h.make_graph(nodes, "g", [read], given, shapes)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    body = model.SerializeToString()
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    manifest |= {"inputs": [name], "sha256": hashlib.sha256(body).hexdigest()}
    folder.mkdir(exist_ok=True)
    (folder / "policy.onnx").write_bytes(body)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


FLOAT, INT = 1, 7


@pytest.mark.parametrize(
    ("name", "width", "kind", "answers", "says"),
    [
        ("moon", 3, FLOAT, 18, "'moon', which nothing here is called"),
        ("calls", 5, FLOAT, 18, "does not read what there is here"),
        ("ways", 99, FLOAT, 18, "does not read what there is here"),
        ("reach", 99, FLOAT, 18, "does not read what there is here"),
        ("calls", 63, INT, 18, "does not read what there is here"),
        ("index", None, FLOAT, 18, "does not read what there is here"),
        ("index", 18, FLOAT, 17, "answers arrays of other shapes"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused_when_it_is_loaded(
    tmp_path, name, width, kind, answers, says
) -> None:
    folder = written(tmp_path / "p", name, width, kind, answers)
    with pytest.raises(PolicyFileError, match=says) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_graph_that_fits_is_loaded(tmp_path) -> None:
    load(written(tmp_path / "p", "index", 18, FLOAT))
    assert input_shapes("standard")["calls"][0] == 2 * input_shapes("small")["calls"][0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"logits": np.nan}, "the network answered numbers that are not finite"),
        ({"logits": np.inf}, "the network answered numbers that are not finite"),
        ({"strangeness": np.nan}, "the board is unlike those of its training: nan, where 22.3"),
        ({"strangeness": 22.3}, "the board is unlike those of its training: 22.3, where 22.3"),
        ({"strangeness": 22.2}, None),
    ],
)
def test_what_is_no_number_leaves_the_decision_to_the_rule(tmp_path, answer, why) -> None:
    policy = load(written(tmp_path / "p", "index", 18, FLOAT, **answer))
    lanes = Lanes(1, SIZES["small"], True, source_of("test", 12))
    lanes.keys[:] = level_key("test", 0)
    lanes.draw_levels(np.ones(1, np.uint8))
    lanes.begin(np.ones(1, np.uint8))
    seen = {name: lanes.observations[name] for name in lanes.observations.dtype.names}
    decision = policy.decide(seen, lanes.masks)
    if why is None:
        assert decision.source[0] == policy.name and decision.why is None
        return
    assert decision.source[0] == FLOOR and decision.why[0].startswith(why)
    assert decision.action[0] == Index().decide(seen, lanes.masks).action[0]
    assert np.isfinite(decision.probabilities).all()


def test_onnx_runtime_is_loaded_with_its_telemetry_off() -> None:
    """By one module, before anything else can load it."""
    root = Path(__file__).parent.parent
    code = "import os, policies.recovery.network; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    quiet = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=quiet,
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "1\n"
    files = [*root.glob("policies/**/*.py"), *root.glob("training/**/*.py")]
    loads = [f for f in files if re.search("^import onnxruntime", f.read_text(), re.MULTILINE)]
    assert loads == [root / "policies" / "onnx_runtime.py"]
