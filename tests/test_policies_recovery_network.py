"""A policy file whose graph is valid and wrong: refused when it is loaded, in one sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from policies.recovery.network import input_shapes, load
from policies.recovery.policy_file import PolicyFileError

onnx = pytest.importorskip("onnx", reason="comes with the extra `train`")
SHIPPED = Path(__file__).parent.parent / "policies" / "recovery" / "pretrained" / "shipped"


def written(folder: Path, name: str, width: int | None, kind: int, answers: int = 18) -> Path:
    """A policy whose graph reads one input and answers constants of its batch."""
    h = onnx.helper
    shape = ["n", width] if width is None or name == "index" else ["n", "c", width]
    read = h.make_tensor_value_info(name, kind, [one for one in shape if one is not None])
    given = [
        h.make_tensor_value_info(out, onnx.TensorProto.FLOAT, None)
        for out in ("logits", "success", "strangeness")
    ]
    zeros = {"logits": [1, answers], "success": [1], "strangeness": [1]}
    nodes = [h.make_node("Shape", [name], ["unused"])]
    nodes += [h.make_node("ConstantOfShape", [f"{out}_shape"], [out]) for out in zeros]
    shapes = [
        h.make_tensor(f"{out}_shape", onnx.TensorProto.INT64, [len(size)], size)
        for out, size in zeros.items()
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
