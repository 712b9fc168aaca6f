"""The ONNX graph that ships: exported, quantised, placed, and read back into a network."""
