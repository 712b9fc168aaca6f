"""The record of a prediction as the API's document shows it: `Prediction.to_dict`, typed.

Answers are written from the record itself; these types only describe it, and a test holds both
together. What a caller leaves out (masks, polygons, metrics) is absent from the answer.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]
Four = tuple[float, float, float, float]


class Part(BaseModel):
    """A part of the record; nothing else is in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassShown(Part):
    """A defect class of the taxonomy."""

    id: int
    name: str
    color: str


class TaxonomyShown(Part):
    """The taxonomy of the model."""

    version: str
    classes: list[ClassShown]


class FrameShown(Part):
    """Where the tester's coordinates lie."""

    x0: int
    y0: int
    dx: Literal[1, -1]
    dy: Literal[1, -1]
    swapped: bool


class ReticleShown(Part):
    """The exposure field, in dies."""

    rows: int
    cols: int
    row_offset: int
    col_offset: int


class SourceShown(Part):
    """The file that the wafer came from."""

    format: str
    name: str
    sha256: str


class WaferRecord(Part):
    """What is known of the wafer besides its dies."""

    wafer_id: str
    lot_id: str | None
    slot: int | None
    product: str | None
    step: str | None
    tester: str | None
    tested_at: str | None
    rows: int
    cols: int
    die_width_mm: float | None
    die_height_mm: float | None
    diameter_mm: float | None
    notch: Literal["down", "left", "up", "right"]
    centre: Pair | None
    frame: FrameShown
    reticle: ReticleShown | None
    source: SourceShown | None
    patterns: list[str] | None
    fingerprint: str
    notes: list[str]


class RunLengths(Part):
    """A mask as COCO run lengths: column by column, zeros first."""

    size: tuple[int, int]
    counts: list[int]


class MetricsShown(Part):
    """Figures of the whole wafer; shares are of 1."""

    die_count: int
    fail_count: int
    wafer_yield: float | None
    defect_count: int
    affected: int
    coverage: float
    counts: dict[str, int]
    affected_dies: dict[str, int]
    yield_loss: dict[str, float]
    density_per_cm2: float | None
    edge_ratio: float
    quadrant_shares: dict[str, float]
    dominant_class: str | None
    severity: float
    severity_level: Literal["low", "medium", "critical"]


class DefectShown(Part):
    """One defect: a connected region of failing dies of one class."""

    class_name: str = Field(alias="class")
    class_id: int
    die_count: int
    bbox: tuple[int, int, int, int]
    bbox_xy: tuple[int, int, int, int]
    bbox_mm: Four | None
    centroid: Pair
    centroid_xy: Pair
    centroid_mm: Pair | None
    area_dies: int
    area_mm2: float | None
    perimeter: int
    compactness: float
    orientation_deg: float
    rho_min: float
    rho_max: float
    theta_extent_deg: float
    confidence: float
    polygon: dict[str, Any] | None = Field(default=None, description="a GeoJSON geometry")


class Record(Part):
    """What the model says of a wafer (`waferscope.prediction/1`)."""

    schema_: Literal["waferscope.prediction/1"] = Field(alias="schema")
    model_version: str
    taxonomy: TaxonomyShown
    wafer: WaferRecord
    thresholds: dict[str, float]
    patterns: dict[str, float]
    pattern_thresholds: dict[str, float]
    labels: list[str]
    conflicts: list[str]
    severity: float
    severity_level: Literal["low", "medium", "critical"]
    metrics: MetricsShown | None = None
    masks: dict[str, RunLengths] | None = None
    defects: list[DefectShown]
