"""Smaller and torch-free models, with what they cost: static tables, int8, ONNX, fewer dimensions."""
