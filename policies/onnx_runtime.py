"""ONNX Runtime without its telemetry: it reports to its makers unless it is told not to before it loads."""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
