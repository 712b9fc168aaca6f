"""One wafer in, one prediction out: numpy and onnxruntime."""
