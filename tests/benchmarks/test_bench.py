"""The benchmarks run, at a size too small to measure, and give every figure for which the documents have a row."""

import json
import logging
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESULTS = BENCHMARKS.parent / "docs" / "results"


@pytest.mark.slow
def test_bench_has_a_figure_for_every_row():
    import bench
    import help_speed
    import index_scale
    import launches
    import packed_images
    import prediction_speed
    import sample_path
    import training_step

    level = logging.getLogger("pytorch_lightning").level
    result = {
        "index": index_scale.measure(600, 52),
        "samples": sample_path.measure(image_size=64, samples=64, repeats=1),
        "packed": packed_images.measure(images=64, entries=600, frames=52, repeats=1),
        "step": training_step.measure("test_resnet", image_size=64, count=2, repeats=1),
        "launches": launches.measure("test_resnet", compiled=False),
        "prediction": prediction_speed.measure(repeats=1, batch=2),
        "help": help_speed.measure(repeats=1, commands=["fit", "predict", *help_speed.COMMANDS]),
    }
    assert logging.getLogger("pytorch_lightning").level == level, "what runs after a benchmark hears of everything"
    assert result["index"]["records"] == 600
    for precision in launches.PRECISIONS:
        documented = json.loads((RESULTS / "bench.json").read_text(encoding="utf-8"))["launches"][precision]["beyond"]
        assert result["launches"][precision]["beyond"] == documented, "whatever the backbone"
    rows = bench.rows(result)
    assert len({what for what, _, _ in rows[:7]}) == 7
    assert all(measured and "nan" not in measured and "inf" not in measured for _, measured, _ in rows)
    documented = (BENCHMARKS.parent / "docs" / "performance.md").read_text(encoding="utf-8")
    for what, _, wanted in rows:
        if wanted.startswith(("<", ">", "≤", "≥")) and "images" not in what and "(" not in what:
            assert f"| {what} " in documented
    for shares in result["step"]["profile"].values():
        assert 0 < min(shares.values()) <= sum(shares.values()) <= 1
        assert any(name in shares for name in ("aten::mm", "aten::addmm", "aten::convolution_backward"))
    assert all(name in bench.profile_sentence(result["step"]) for name in result["step"]["profile"]["token_fusion"])
