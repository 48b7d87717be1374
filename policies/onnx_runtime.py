"""ONNX Runtime with the telemetry off that is built into it: it is told so before it loads."""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
