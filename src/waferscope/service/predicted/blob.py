"""A prediction as a blob: all that cannot be computed again, compressed, without loss.

NumPy's arrays in one zstd frame: ``head`` (JSON), ``codes`` and ``values`` (``probs`` are
``values[codes]``: a quantised model gives at most 256 of them), ``embedding``, ``evidence``.
"""

from __future__ import annotations

import io
import json
from typing import Any, Final

import numpy as np
import pyarrow as pa

from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import Taxonomy
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import WaferScopeError

CODEC: Final = "zstd"
SCHEMA: Final = "waferscope.kept-prediction/1"
_HEAD: Final = ("thresholds", "patterns", "pattern_thresholds", "model_version")


def pack(prediction: Prediction) -> bytes:
    """Return the bytes of a prediction; its wafer is kept elsewhere."""
    head: dict[str, Any] = {name: getattr(prediction, name) for name in _HEAD}
    head |= {"schema": SCHEMA, "taxonomy": prediction.taxonomy.to_dict()}
    seen = pa.array(prediction.probs.ravel()).dictionary_encode()
    codes = seen.indices.to_numpy()
    sink = io.BytesIO()
    np.savez(
        sink,
        head=np.frombuffer(json.dumps(head).encode(), np.uint8),
        codes=codes.astype(np.min_scalar_type(len(seen.dictionary))),
        values=seen.dictionary.to_numpy(),
        embedding=prediction.embedding,
        evidence=prediction.evidence,
    )
    packed: bytes = pa.compress(sink.getvalue(), codec=CODEC, asbytes=True)
    return packed


def unpack(data: bytes, wafer: WaferMap) -> Prediction:
    """Return the prediction that `pack` was given. Raises WaferScopeError for damaged bytes."""
    try:
        with pa.input_stream(pa.py_buffer(data), compression=CODEC) as stream:
            plain = stream.read()
        with np.load(io.BytesIO(plain), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        head = json.loads(found["head"].tobytes())
        probs = found["values"][found["codes"]]
        return Prediction(
            wafer=wafer,
            taxonomy=Taxonomy.from_dict(head["taxonomy"]),
            probs=probs.reshape(-1, *wafer.shape),
            embedding=found["embedding"],
            evidence=found["evidence"],
            **{name: head[name] for name in _HEAD},
        )
    except (pa.ArrowException, OSError, ValueError, LookupError, EOFError) as error:
        raise WaferScopeError(
            f"Expected a kept prediction, got damaged bytes ({error}). Predict the wafer again."
        ) from error
