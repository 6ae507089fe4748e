"""The figure of the architecture shows what the networks do."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from gesturehand.draw.style import chart
from gesturehand.errors import UserError

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "draw_architecture.py"))
TINY = {"backbone": "test_resnet", "image_size": 64}


@pytest.fixture(scope="module")
def stages():
    return SCRIPT["trace_stages"](**TINY)


def test_modules_have_their_places(stages):
    SCRIPT["check_places"](stages)
    assert stages["stage 2"]["token_fusion"].outputs == {"": (2, 21, 512)}
    assert stages["stage 2"]["mano_head"].outputs["betas"] == (2, 10)
    assert stages["stage 1"]["gesture_head"].outputs["fine_logits"] == (2, 35)


def test_arrows_are_where_tensors_go(stages):
    found = {name: {source for source, _ in module.sources} for name, module in stages["stage 2"].items()}
    assert found == {
        "encoder": set(),
        "gesture_head": {"encoder"},
        "joint_volume": {"encoder"},
        "joint_tokens": {"encoder", "joint_volume"},
        "gesture_tokens": {"gesture_head"},
        "token_fusion": {"joint_tokens", "gesture_tokens"},
        "mano_head": {"token_fusion", "encoder"},
        "hand_model": {"mano_head"},
    }


def test_a_module_without_a_place_is_named(stages):
    renamed = {**stages, "stage 1": {**stages["stage 1"], "new_part": stages["stage 1"]["encoder"]}}
    with pytest.raises(UserError, match="new_part of stage 1"):
        SCRIPT["check_places"](renamed)


def test_what_is_not_called_is_not_drawn():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 3), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    called = SCRIPT["trace"](Network(), torch.zeros(2, 2))
    assert list(called) == ["used"]
    assert called["used"].outputs == {"": (2, 3)}


def test_it_is_drawn(stages, tmp_path):
    with chart(tmp_path / "figure.svg", figsize=(13.6, 5.5)) as (_, (axis,)):
        SCRIPT["draw"](axis, stages, 64)
    assert (tmp_path / "figure.svg").stat().st_size > 10_000
