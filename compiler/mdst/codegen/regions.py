"""Weight regions as kernels see them: views, parts and offsets."""

from __future__ import annotations

from ..errors import InternalError
from ..quant.layout import format_named, slice_layout
from ..schedule.plan import View, weight_buffer
from ..schedule.weight_plan import Form, Piece, Region, WeightPlan
from .part import Part

_UNIT = 16


def region_view(region: Region) -> View:
    return View(weight_buffer(region.buffer), region.offset, region.size)


def vector_offset(region: Region, tensor: str, form: Form | None = None) -> int:
    """Where a vector (in that form, if it is there in several) starts, in units of 16 bytes."""
    return _find(region, tensor, form).offset // _UNIT


def is_interleaved(region: Region, tensor: str) -> bool:
    return _find(region, tensor).form == "interleaved"


def part(region: Region, weight: str, scale: str | None = None, bias: str | None = None) -> Part:
    """The rows of `weight` that lie in `region`, with their scale and bias."""
    piece = _find(region, weight)
    cols = piece.type.width
    format = format_named(piece.type.dtype)
    planes = slice_layout(format, piece.rows, cols).vec4_offsets(piece.offset)
    grid = (("grid", region.grid(format.grid) // _UNIT),) if format.grid else ()
    return Part(
        piece.type.dtype,
        piece.rows,
        cols,
        planes + grid,
        bias=vector_offset(region, bias) if bias else None,
        scale=vector_offset(region, scale) if scale else None,
    )


def whole_region(weights: WeightPlan, tensor: str) -> Region:
    """A region that holds all values of the vector `tensor` (a norm weight may be in several)."""
    for region in weights.regions_of(tensor):
        piece = _find(region, tensor)
        if piece.rows == piece.type.elements(0):
            return region
    raise InternalError("LOWER001", f"constant {tensor} does not lie in one piece")


def _find(region: Region, tensor: str, form: Form | None = None) -> Piece:
    piece = region.piece(tensor, form)
    if piece is None:
        raise InternalError("LOWER002", f"constant {tensor} is not in its region")
    return piece
