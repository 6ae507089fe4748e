"""Impossible settings of a training: each ends in one sentence and exit code 2, before anything is trained."""

import pytest
from faults import fault, faults
from trainings import SHORT, exit_code, experiment

from gesturehand.cli.main import main


@pytest.fixture
def fit(tmp_path, monkeypatch, synthetic_root, capsys):
    """Runs `fit` with the words of a test; returns its exit code and the last line that it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = exit_code(["fit", experiment("demo/pretrain"), f"--data.root={synthetic_root}", *SHORT, *words])
        lines = capsys.readouterr().err.strip().splitlines()
        return code, lines[-1] if lines else ""

    return run


def refused(kind, word, message):
    return pytest.param(word, message, marks=fault(kind, word, "refused in one sentence"), id=word)


PRECISION = "half precision on a CPU"
TRAINER = "words that the trainer does not know"
NUMBERS = "impossible numbers"
NAN = "nan in options"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        refused(PRECISION, "--trainer.precision=16-mixed", "use --trainer.precision=bf16-mixed"),
        refused(PRECISION, "--trainer.precision=16", "use --trainer.precision=bf16-mixed"),
        refused(PRECISION, "--trainer.precision=16-true", "use --trainer.precision=bf16-mixed"),
        refused(PRECISION, "--trainer.precision=transformer-engine", "cannot be set up like this"),
        refused(TRAINER, "--trainer.strategy=ddpp", "invalid strategy name"),
        refused(TRAINER, "--trainer.accelerator=tpu", "cannot be set up like this"),
        refused(TRAINER, "--trainer.accelerator=gpuu", "invalid accelerator name"),
        refused(TRAINER, "--trainer.profiler=nope", "profiler"),
        refused(TRAINER, "--trainer.max_time=soon", "not a valid duration"),
        refused(TRAINER, "--checkpoint.mode=biggest", "min or max"),
        refused(NUMBERS, "--seed_everything=-1", "seed_everything is -1"),
        refused(NUMBERS, "--seed_everything=4294967296", "from 0 to 4294967295"),
        refused(NUMBERS, "--data.image_size=100000", "image_size is 100000: give a whole number from 1 to 4096"),
        refused(NUMBERS, "--trainer.devices=-3", "devices"),
        refused(NUMBERS, "--trainer.max_epochs=-5", "max_epochs"),
        refused(NUMBERS, "--trainer.accumulate_grad_batches=0", "accumulate_grad_batches is 0"),
        refused(NAN, "--model.init_args.learning_rate=nan", "nan is not a finite number"),
        refused(NAN, "--data.fit_share=nan", "nan is not a finite number"),
        refused(NAN, "--data.scale_jitter=.nan", "data.scale_jitter is nan: give a number"),
        refused(NAN, "--data.rotation_jitter_deg=.inf", "data.rotation_jitter_deg is inf: give a number"),
        refused(NAN, "--trainer.gradient_clip_val=nan", "nan is not a finite number"),
        refused(NAN, "--data.batch_size=inf", "inf is not a finite number"),
    ],
)
def test_refused_in_one_sentence(fit, word, message):
    code, said = fit(word)
    assert code == 2
    assert said.startswith("gesturehand: ")
    assert message in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    ("monitor", "named"),
    [
        ("val/gesture_fine_tp1", "did you mean 'val/gesture_fine_top1'?"),
        ("val/mpjpe_mm", "which GesturePretrainer does not log"),
        ("gesture_fine_top1", "did you mean 'val/gesture_fine_top1'?"),
    ],
)
def test_a_checkpoint_that_watches_an_unlogged_name_is_refused_before_the_first_step(fit, tmp_path, monitor, named):
    code, said = fit(f"--checkpoint.monitor={monitor}")
    assert code == 2
    assert said.startswith(f"gesturehand: checkpoint.monitor is '{monitor}'")
    assert named in said
    assert len(said) <= 300
    assert not list(tmp_path.rglob("*.ckpt"))


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "lists of aliases": bomb(9),
    "mappings of aliases": bomb(9).replace("[", "{p: ").replace(", ", ", p: ").replace("]", "}"),
    "merged mappings": "\n".join(
        ["m0: &m0 {a: [1, 2, 3, 4, 5, 6, 7, 8]}"]
        + [f"m{n}: &m{n} {{{', '.join(f'k{k}: *m{n - 1}' for k in range(8))}}}" for n in range(1, 9)]
    ),
    "an alias in itself": "a: &a [*a]",
}


@pytest.mark.parametrize("place", ["fit", "sweep", "data synth"])
@pytest.mark.parametrize("text", faults("YAML bomb", "refused in one sentence", BOMBS.items()))
def test_yaml_bombs(fit, tmp_path, capsys, place, text):
    (tmp_path / "bomb.yaml").write_text(text)
    if place == "fit":
        code, said = fit("--config=bomb.yaml")
    else:
        option = "--file" if place == "sweep" else "--config"
        code = main([*place.split(), f"{option}={tmp_path / 'bomb.yaml'}"])
        said = capsys.readouterr().err.strip()
    assert code == 2
    assert "aliases (*name) that expand to" in said
    assert len(said) < 300


@fault("YAML bomb", "a few aliases, as people use them", "read as meant")
def test_ordinary_aliases_are_read(fit, tmp_path):
    (tmp_path / "few.yaml").write_text("data:\n  captures: &one [0]\n  subjects: *one\n")
    assert fit("--config=few.yaml", "--trainer.devices=-3")[0] == 2
    assert "devices" in fit("--config=few.yaml", "--trainer.devices=-3")[1]


@pytest.mark.parametrize(
    "words",
    faults(
        "--trust_config",
        "does what the manual says",
        ((words, words.split()) for words in ("--trust_config maybe", "--trust_config=1")),
    ),
)
def test_trust_is_true_or_false(fit, words):
    code, said = fit(*words)
    assert code == 2
    assert "give true or false" in said
