"""The types that the browser runtime sees are those of the manifest's dataclasses."""

from __future__ import annotations

from mdst.bundle.types_js import TARGET, declarations
from mdst.resources import folder


def test_the_generated_file_is_up_to_date() -> None:
    found = (folder("runtime_js") / TARGET).read_text(encoding="utf-8")
    assert found == declarations(), "run: python -m mdst.bundle.types_js"


def test_lists_unions_and_nested_classes_have_their_types() -> None:
    text = declarations()
    assert "  shards: Shard[];\n" in text
    assert "  weights_url: string | null;\n" in text
    assert text.index("export interface Shard ") < text.index("export interface WeightSet ")
