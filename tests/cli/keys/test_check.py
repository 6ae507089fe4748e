"""Slips in keys, values, classes, paths and commands: each is answered by one sentence that says what was meant.

They are found without importing PyTorch or Lightning.
"""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from gesturehand.cli.commands import all_commands
from gesturehand.cli.keys.check import LONGEST, check_line, nearest_key
from gesturehand.cli.keys.known import known_keys
from gesturehand.errors import UserError

REPOSITORY = Path(__file__).parents[3]
FINETUNE = "--config=experiments/demo/finetune.yaml"
#: Command lines, and the words that the sentence must contain. `@` stands for a file with the lines that follow it.
SLIPS = [
    # keys on the command line
    (f"fit {FINETUNE} --model.init_args.fusoin=cross", "model.init_args.fusion"),
    (f"fit {FINETUNE} --model.fusoin=cross", "model.init_args.fusion"),
    (f"fit {FINETUNE} --trainer.max_epoch=77", "trainer.max_epochs"),
    (f"fit {FINETUNE} --trainer.max_epoch 77", "trainer.max_epochs"),
    ("fit --trainer.maxepochs=1", "trainer.max_epochs"),
    ("fit --data.image-size=64", "data.image_size"),
    ("fit --data.Image_Size=64", "data.image_size"),
    ("fit --batch_size=4", "data.batch_size"),
    ("fit --data.learning_rate=1", "model.init_args.learning_rate"),
    ("fit --model.max_epochs=1", "trainer.max_epochs"),
    ("fit --dta.root=a", "data.root"),
    ("fit --trainr.devices=1", "trainer.devices"),
    ("fit --checkpoint.moniter=val/loss", "checkpoint.monitor"),
    ("fit --wandb_projct=a", "wandb_project"),
    ("fit --confg=a.yaml", "--config"),
    ("fit --resum=never", "resume"),
    ("fit --model=EANetRegressor --model.gesture_head=3", "model.init_args.gesture_heads"),
    ("test --rnu=latest", "--run"),
    ("test --test_picture=3", "test_pictures"),
    ("validate --data.val_spit=a", "data.val_split"),
    ("data synth --out=a --subject=[1,1,1]", "--subjects"),
    ("data synth_photo --out=a --occluder_shar=0.1", "--occluder_share"),
    ("data show --rot=a --out=b.png", "--root"),
    ("data import --image=a --joints=b --out=c", "--images"),
    ("data check --root=data/openhand --thread=3", "--threads"),
    ("data stats --root=data/openhand --ot=a.json", "--out"),
    ("predict photo.jpg --chekpoint=latest", "--checkpoint"),
    ("predict photo.jpg --overlaay=false", "--overlay"),
    ("evaluate --prediction=a.npz --data=b", "--predictions"),
    ("sweep --fil=a.yaml", "--file"),
    ("sweep --file=experiments/sweeps/demo.yaml --trails=3", "--trials"),
    ("ablation --sied=quick", "--size"),
    ("ablation --seed=2", "--seeds"),
    ("export --out=a.onnx --fromat=onnx", "--format"),
    ("run summary --rnu=latest", "--run"),
    ("run latest --run=a", "--runs"),
    ("hand info --mnao=a", "--mano"),
    # values
    ("fit --model.fusion=crss", "'cross'"),
    ("fit --data.layout=per_hnd", "'per_hand'"),
    ("fit --data.hands=singel", "'single'"),
    ("fit --data.upright=ture", "'true'"),
    ("fit --data.batch_size=thirty", "a whole number"),
    ("fit --data.batch_size=1.5", "a whole number"),
    ("fit --data.scale_jitter=lots", "a number"),
    ("fit --data.batch_size", "needs a value"),
    ("fit --trainer.precision=bf16-mixd", "'bf16-mixed'"),
    ("fit --trainer.max_epochs=many", "a whole number"),
    ("fit --model.tips=eanett", "'eanet'"),
    ("fit --model.init_args.freeze_encoder=al", "'all'"),
    ("fit --data.captures=one", "a list"),
    ("fit --data.batch_size=0", "from 1 upwards"),
    ("fit --seed_everything=-1", "from 0"),
    ("fit --model=TokenFusionRegressor --model.heads=3", "a multiple of the heads"),
    ("fit --data.upright=true --data.layout=two_hand", "data.upright"),
    ("evaluate --predictions=photo.jpg --data=data/openhand --hands=rihgt", "'right'"),
    ("evaluate --predictions=photo.jpg --data=data/openhand --layout=twohand", "'two_hand'"),
    ("export --out=a.onnx --format=onxx", "'onnx'"),
    ("ablation --size=qick", "'quick'"),
    ("predict photo.jpg --hand=lfet", "'left'"),
    ("predict photo.jpg --engine=onxn", "'onnx'"),
    ("predict photo.jpg --max_hands=two", "a whole number"),
    ("data show --root=data/openhand --out=a.png --boxes=jonts", "'joints'"),
    ("data synth --out=a --subjects=[1,2]", "3 values"),
    ("data import --images=. --joints=photo.jpg --out=c --hand=rigt", "'right'"),
    ("hand convert --source=photo.jpg --target=a.npz --side=lft", "'left'"),
    ("completion bsh", "'bash'"),
    # classes
    ("fit --model=EANetRegresor", "EANetRegressor"),
    ("fit --model=gesturehand.TokenFusonRegressor", "gesturehand.TokenFusionRegressor"),
    ("fit --model.class_path=gesturehand.GesturePretrainr", "gesturehand.GesturePretrainer"),
    ("fit --trainer.callbacks+=gesturehand.callbacks.Througput", "gesturehand.callbacks.Throughput"),
    ("fit --trainer.callbacks+=EarlyStoping", "EarlyStopping"),
    ("fit --trainer.callbacks+=gesturehand.callbacks.Throughput --trainer.callbacks.every_n_step=3", "every_n_steps"),
    # files
    ("fit --config=own.yaml @model:|  class_path: gesturehand.TokenFusionRegressor|  init_args:|    fusoin: cross",
     "('own.yaml', line 4): did you mean model.init_args.fusion?"),
    ("fit --config=own.yaml @trainer:|  max_epoch: 3", "('own.yaml', line 2): did you mean trainer.max_epochs?"),
    ("fit --config=own.yaml @dta:|  root: a", "data"),
    ("fit --config=own.yaml @model:|  class_path: gesturehand.EANetRegresor", "gesturehand.EANetRegressor"),
    ("fit --config=own.yaml @model:|  init_arg: {}", "init_args"),
    ("fit --config=own.yaml @data: {layout: per_hnd}", "'per_hand'"),
    ("fit --config=own.yaml @data: {batch_size: two}", "a whole number"),
    ("fit --config=own.yaml @trainer:|  callbacks:|  - class_path: gesturehand.callbacks.WeightAverge",
     "gesturehand.callbacks.WeightAverage"),
    ("fit --config=own.yaml @trainer:|  callbacks:|  - class_path: gesturehand.callbacks.WeightAverage|"
     "    init_args: {decy: 0.9}", "decay"),
    ("fit --config=own.yaml @name: a|data: [", "is not YAML"),
    ("fit --config=own.yaml @data:|  device_augmentation: {nois: 3}", "data.device_augmentation.noise"),
    ("fit --config=own.yaml @data:|  sets:|  - {roott: a, share: 0.5}", "data.sets.root"),
    ("fit --config=own.yaml @data:|  sets: [{root: a, share: half}]", "a number"),
    ("fit --config=own.yaml @checkpoint: {mode: mni}", "'min'"),
    ("data synth --config=own.yaml @ot: a", "out"),
    ("evaluate --config=own.yaml @hands: singel", "'single'"),
    # paths
    ("fit --config=experiments/demo/finetun.yaml", "'experiments/demo/finetune.yaml'"),
    ("fit --config=experimets/demo/finetune.yaml", "'experiments/demo/finetune.yaml'"),
    (f"fit {FINETUNE} --data.root=data/openhnd", "'data/openhand'"),
    (f"fit {FINETUNE} --data.root=data/openhand --model.mano=mno", "'mano'"),
    (f"fit {FINETUNE} --data.root=data/openhand --model.pretrained=photo.jp", "'photo.jpg'"),
    (f"fit {FINETUNE} --data.root=data/openhand --data.train_subset=phto.jpg", "'photo.jpg'"),
    ("test --run=latst", "'latest'"),
    ("test --run=runs/demo/finetune/2026", "'runs/demo/finetune/20260101-120000'"),
    ("sweep --file=experiments/sweep/demo.yaml", "'experiments/sweeps/demo.yaml'"),
    ("data stats --root=data/openhandd", "'data/openhand'"),
    ("evaluate --predictions=phot.jpg --data=data/openhand", "'photo.jpg'"),
    ("export --out=a.onnx --mano=mao", "'mano'"),
    ("export --out=a.onnx --checkpoint=latets", "'latest'"),
    ("predict photo.jpg --checkpoint=opnphoto", "'openphoto'"),
    ("run summary --run=runs/demo/finetun/20260101-120000", "'runs/demo/finetune/20260101-120000'"),
    # commands, and words without an option
    ("fti", "'fit'"),
    ("trian", "validate"),
    ("predct photo.jpg", "'predict'"),
    ("data sinth", "'data synth'"),
    ("data imports", "'data import'"),
    ("synth --out=a", "'data synth'"),
    ("--hepl", "'--help'"),
    ("fit --hlep", "--help"),
    ("run sumary", "'run summary'"),
    ("hand inof", "'hand info'"),
    ("fit experiments/demo/finetune.yaml", "--config experiments/demo/finetune.yaml"),
    ("data stats data/openhand", "--root data/openhand"),
    ("export model.onnx", "--out model.onnx"),
    # what is missing
    ("predict", "IMAGE"),
    ("export", "--out"),
    ("evaluate --predictions=photo.jpg", "--data"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sentences(answers, tmp_path_factory):
    """Exit code, output and error of each slip, all in one folder with typical files."""
    folder = tmp_path_factory.mktemp("slips")
    shutil.copytree(REPOSITORY / "experiments" / "demo", folder / "experiments" / "demo")
    (folder / "experiments" / "sweeps").mkdir()
    run = folder / "runs" / "demo" / "finetune" / "20260101-120000"
    for name in (folder / "data" / "openhand" / "annotations", folder / "mano", run):
        name.mkdir(parents=True)
    for name in ("photo.jpg", "experiments/sweeps/demo.yaml", str(run / "config.yaml")):
        (folder / name).write_text("")
    lines = []
    for number, (line, _) in enumerate(SLIPS):
        words, _, text = line.partition(" @")
        (folder / f"own{number}.yaml").write_text(text.replace("|", "\n"))
        lines.append(words.replace("own.yaml", f"own{number}.yaml").split())
    return answers(lines, folder)


@pytest.mark.parametrize("number", range(len(SLIPS)), ids=[line[:70] for line, _ in SLIPS])
def test_one_sentence_names_the_intended_word(sentences, number):
    code, out, err = sentences[number]
    err = err.replace(f"own{number}.yaml", "own.yaml")
    assert (code, out) == (2, ""), err
    assert err.startswith("gesturehand: ")
    assert err.count("\n") == 1
    assert len(err) <= LONGEST
    assert SLIPS[number][1] in err


def slips_of(name):
    """A key with a letter missing, doubled, swapped with the next or replaced, at any place."""
    for place, (one, two) in enumerate(pairwise(name)):
        if "." in one + two or "_" in one + two:
            continue
        yield name[:place] + name[place + 1 :]
        yield name[:place] + one + name[place:]
        yield name[:place] + "x" + name[place + 1 :]
        if one != two:
            yield name[:place] + two + one + name[place + 2 :]


@pytest.mark.parametrize("command", all_commands())
def test_a_wrong_letter_anywhere_is_recognised(command):
    known = list(known_keys(command).by_path)
    tried = wrong = 0
    for number, key in enumerate(known):
        slips = sorted(set(slips_of(key)) - set(known))
        for slip in slips[number % 7 :: 7]:
            tried += 1
            wrong += nearest_key(slip, known) != key
    assert wrong <= 0.01 * tried


@pytest.mark.parametrize("command", all_commands())
def test_no_key_may_be_abbreviated(command):
    known = known_keys(command)
    for path in known.by_path:
        short = path[:-1]
        if short not in known.by_path and not short.endswith("."):
            with pytest.raises(UserError, match="There is no"):
                check_line(command, [f"--{short}=1"])


@pytest.mark.parametrize(
    "words",
    [
        ["--model=EANetRegressor", "--print_config"],  # keys that only the file's class knows are left
        ["--data.image_size=${data.batch_size}"],
        ["--trainer.callbacks+=gesturehand.callbacks.Throughput", "--trainer.callbacks.every_n_steps=4"],
        ["--trainer.callbacks.init_args.every_n_steps", "4"],
        ["--trainer.callbacks=[{class_path: gesturehand.callbacks.Compile}]"],
        ["--trainer.logger=false", "--trainer.limit_val_batches=0.5", "--trainer.devices=[0,1]"],
        ["--trainer.strategy.class_path=pytorch_lightning.strategies.DDPStrategy"],
        ["--trainer.callbacks+=mine.Mine", "--trainer.callbacks.anything=1", "--trust_config"],
        ["--model=mine.Model", "--model.anything=1", "--model.init_args.other=x"],
        ["--data.device_augmentation.noise=3", "--data.sets=[{root: a, share: 0.5}]", "--data.gestures=[fist]"],
        ["--data.cameras+=400002", "--data.captures", "[0]", "--data.upright", "yes"],
        ["--trainer.max_time=00:01:00:00", "--trainer.overfit_batches=10", "--model.help=EANetRegressor"],
        ["--data.test_boxes=null", "--ckpt_path=best", "--print_config=skip_null"],
    ],
    ids=lambda words: words[0],
)
def test_everything_that_the_parser_takes_passes(words):
    check_line("fit", [f"--config={REPOSITORY / 'experiments' / 'demo' / 'finetune.yaml'}", *words])
