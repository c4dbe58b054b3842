"""What a run will need: the estimate is the truth, and too little memory or disk is refused with the items."""

import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
from planted import planted_text

import fastw2v
from fastw2v import InputError, TrainConfig, Vocabulary
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import Estimated, NewFile
from fastw2v.kernels.layout import RowLayout
from fastw2v.training import resources
from fastw2v.training.matrices import new_matrices, row_layout
from fastw2v.training.objective import objective_of
from fastw2v.training.resources import check_disk, check_memory, check_room_for_ids, estimate_memory, vector_file_bytes

ESTIMATE = """
import sys
import numpy as np, fastw2v
from fastw2v.events import Estimated
from fastw2v.training.warmup import compile_kernels
options = eval(sys.argv[1])
compile_kernels(options["threads"], fastw2v.TrainConfig(loss=options.get("loss", "ns")))
rng = np.random.default_rng(0)
walks = np.concatenate([rng.permutation(100_000), rng.integers(0, 100_000, 100_000)]).reshape(-1, 50)
expected = []
def note(event):
    if isinstance(event, Estimated):
        pages = int(open("/proc/self/statm").read().split()[1])
        expected.append(4096 * pages + event.total)
if "counts" in options:
    words = [str(i) for i in range(100_000)]
    options["vocabulary"] = fastw2v.Vocabulary(words, np.array(options.pop("counts") + 99_900 * [0]))
fastw2v.train(walks=walks, min_count=1, sample=0, callback=note, **options).save(sys.argv[2])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss is the parent's too
print(expected[0] / (1024 * int(peak.split()[1])))
"""

DRAWING = """
import sys
from fastw2v import TrainConfig
from fastw2v.events import Progress
from fastw2v.vectors.lossplot import LossPlot
def n_bytes():
    return 4096 * int(open("/proc/self/statm").read().split()[0])
plot = LossPlot(f"{sys.argv[1]}/l.pdf", TrainConfig(), lambda event: None)
plot(Progress(1, 2, 100, 1000, 10, 3.0, 0.1, 0.02, 1.0, 100.0))
before = n_bytes()
plot.draw()
print(n_bytes() - before)
"""

VOCABULARY = Vocabulary([""] * 1000, np.ones(1000, np.int64))

SETTINGS = {
    "ns": {"dim": 100, "threads": 2, "epochs": 2},
    "hs": {"dim": 100, "threads": 1, "epochs": 2, "loss": "hs"},
    "checkpoint": {"dim": 200, "threads": 1, "epochs": 1, "checkpoint": "c"},
    "model": {"dim": 100, "threads": 1, "epochs": 1, "save_model": "m.fw2v"},
    "model and checkpoint": {"dim": 100, "threads": 2, "epochs": 1, "save_model": "m.fw2v", "checkpoint": "c"},
    "loss plot": {"dim": 100, "threads": 1, "epochs": 1, "save_model": "m.fw2v", "loss_plot": "l.pdf"},
    "flat tree": {"dim": 20, "threads": 1, "epochs": 1, "loss": "hs", "counts": 100 * [0]},
    "deep tree": {
        "dim": 20,
        "threads": 1,
        "epochs": 1,
        "loss": "hs",
        "counts": [3**38 // 2**i + 1 for i in range(100)],
    },
}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_the_estimate_is_the_truth_within_15_percent(tmp_path, options):
    command = [sys.executable, "-c", ESTIMATE, repr(options), tmp_path / "o.txt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0.85 < float(done.stdout) < 1.15


OF_LAYOUTS = [
    {"threads": 1},
    {"threads": 3},
    {"threads": 3, "loss": "hs"},
    {"threads": 3, "loss": "softmax"},
    {"threads": 1, "has_frozen": True},
    {"threads": 2, "has_frozen": True, "loss": "hs", "window": 9},
]


@pytest.mark.parametrize("options", OF_LAYOUTS, ids=str)
def test_the_estimate_of_the_matrices_is_what_they_take(options):
    threads, has_frozen = options.pop("threads"), options.pop("has_frozen", False)
    config = TrainConfig(dim=20, **options)
    layout = row_layout(1000, config, threads, has_frozen)
    memory = estimate_memory(layout, config, VOCABULARY).memory
    matrices = new_matrices(1000, config, threads, np.zeros(1000, bool) if has_frozen else None)
    n_bytes = matrices.input_vectors.nbytes + matrices.output_vectors.nbytes
    assert memory["2 matrices"] + memory["copies per thread"] == n_bytes
    assert memory["2 matrices"] == 2 * 1000 * 4 * 32, "rows of whole cache lines"
    has_hot_rows = threads > 1 and config.loss != "softmax"
    assert (memory["copies per thread"] > 0) == (has_frozen or has_hot_rows)


def test_what_else_takes_memory():
    configs = {loss: TrainConfig(dim=20, loss=loss) for loss in ("ns", "hs", "softmax")}
    layout = RowLayout.of(1000)
    memory = {
        loss: estimate_memory(layout, configs[loss], VOCABULARY, loss == "ns", loss == "hs").memory for loss in configs
    }
    assert memory["ns"]["a checkpoint"] == 2 * 4 * 1000 * 20
    assert memory["hs"]["a checkpoint"] == 0
    assert memory["softmax"]["a batch"] == 256 * 4 * 1000
    assert memory["ns"]["a batch"] == memory["ns"]["the loss plot"] == 0
    assert memory["hs"]["tables"] > memory["ns"]["tables"] > 8 * 1000


def test_the_tables_of_a_tree_grow_with_its_depth():
    counts = np.ones(1000, np.int64)
    counts[:55] = [2**55 >> i for i in range(55)]
    memory = {}
    for name, vocabulary in ("flat", VOCABULARY), ("deep", Vocabulary([""] * 1000, counts)):
        estimated = estimate_memory(RowLayout.of(1000), TrainConfig(loss="hs"), vocabulary)
        paths = objective_of(vocabulary, TrainConfig(loss="hs")).paths
        memory[name] = estimated.memory["tables"]
        assert memory[name] == paths.nodes.nbytes + paths.labels.nbytes + 20 * 1000
    assert memory["deep"] > 4 * memory["flat"]


def test_too_little_memory_is_refused_with_the_items(planted, tmp_path, monkeypatch, run):
    monkeypatch.setattr(resources, "available_memory", lambda n_unmapped: (50_000, "the cgroup's limit"))
    command = ("train", planted, "--checkpoint", tmp_path / "c", "--min-count", 1, "--threads", 2)
    code, _, err = run(*command, "-o", tmp_path / "o")
    assert code == 2
    assert "too little memory: training needs 0.3 MB of memory (2 matrices 0.1 MB" in err
    assert "a checkpoint 0.1 MB); 0.1 MB is free under the cgroup's limit. Lower --dim or --max-vocab" in err
    assert not (tmp_path / "o").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_what_a_drawing_takes_is_estimated(tmp_path):
    done = subprocess.run([sys.executable, "-c", DRAWING, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0.5 < int(done.stdout) / resources.BYTES_OF_DRAWING < 1.5


def test_the_memory_of_a_loss_plot_is_asked_for(planted, tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "available_memory", lambda n_unmapped: (50_000_000, "ulimit -v"))
    options = {"dim": 20, "min_count": 1, "epochs": 1, "threads": 1}
    fastw2v.train(planted, **options)
    message = (
        r"too little memory: training needs 60 MB of memory \(the loss plot 60 MB\); 50 MB is free under ulimit -v"
    )
    with pytest.raises(InputError, match=message):
        fastw2v.train(planted, loss_plot=tmp_path / "l.pdf", **options)


def test_memory_that_is_enough_or_unknown():
    check_memory(Estimated({"2 matrices": 100}, 100, "the machine"))
    check_memory(Estimated({"2 matrices": 100}, None, ""))
    with pytest.raises(InputError, match="too little memory: training needs"):
        check_memory(Estimated({"2 matrices": 100}, 99, "the machine"))


def model(path, n_bytes, n_more=None):
    return NewFile("the model", str(path), n_bytes, n_bytes if n_more is None else n_more)


@pytest.fixture
def full_disk(monkeypatch):
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: (10**6, 10**6 - 1000, 1000))


def test_a_disk_that_does_not_tell_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: (0, 0, 0))  # as of ramfs
    check_disk([model(tmp_path / "o", 2e6)], "go away")


def test_a_disk_with_too_little_room(tmp_path, full_disk):
    check_disk([model(tmp_path / "o", 1000)], "go away")
    message = r"no room for the model: about 2.0 MB is needed in .*, which has 0.0 MB free; go away"
    with pytest.raises(InputError, match=message):
        check_disk([model(tmp_path / "o", 2e6)], "go away")
    for path in ("-", "/dev/stdout", "/dev/null"):
        check_disk([model(path, 2e6)], "go away")


def test_files_on_one_disk_add_up(tmp_path, full_disk):
    (tmp_path / "d").mkdir()
    output, nothing_more = NewFile("the output", str(tmp_path / "d" / "o"), 600, 600), NewFile("x", str(tmp_path), 9, 0)
    check_disk([output, nothing_more], "")
    with pytest.raises(InputError, match="no room for the model and the output: about 0.0 MB is needed"):
        check_disk([model(tmp_path / "m", 600), nothing_more, output], "go away")


def test_a_limit_on_the_size_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "o"
    monkeypatch.setattr(resources, "largest_file", lambda: 1_000_000)
    check_disk([model(path, 1e6, 2e6), model("/dev/null", 2e6)], "go away")
    message = "no room for the model: a file of about 1.5 MB is needed, and ulimit -f allows 1.0 MB; raise that limit"
    for n_more in (1.5e6, 3e6, 0):
        with pytest.raises(InputError, match=message):
            check_disk([model(path, 1.5e6, n_more)], "go away")


@pytest.mark.skipif(sys.platform == "win32", reason="needs ulimit")
@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["-o", "v.txt"], "the output"),
        (["-o", "v.bin", "--save-model", "m.fw2v"], "the model"),
        (["-o", "v.bin", "--checkpoint", "c"], "two checkpoints"),
        (["-o", "v.bin", "--temp-dir", "."], "the encoded corpus"),
    ],
)
def test_a_low_ulimit_is_refused_before_the_work(tmp_path, options, what):
    is_text = what == "the encoded corpus"
    (tmp_path / "t.txt").write_text("a b\n" * 200_000 if is_text else planted_text(n_sentences=300))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000));"
        "from fastw2v.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "train", "t.txt", *options, "--dim", "2500", "--min-count", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert f"no room for {what}: a file of about" in done.stderr
    assert "ulimit -f allows 1.5 MB" in done.stderr
    assert not list(tmp_path.glob("v.*"))


def test_a_disk_that_cannot_be_asked(tmp_path):
    check_disk([model(tmp_path / "nowhere" / "o", 1e30)], "go away")


def test_room_for_the_ids(tmp_path, full_disk):
    path = tmp_path / "t.txt"
    path.write_text(planted_text(n_sentences=40_000))
    message = r"no room for the encoded corpus: about 1.8 MB is needed in .*, which has 0.0 MB free; name an"
    with pytest.raises(InputError, match=message):
        fastw2v.train(path, temp_dir=str(tmp_path))


def test_the_size_of_the_ids(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(planted_text(n_sentences=40_000))
    needed = check_room_for_ids([str(path)], str(tmp_path))
    assert needed == pytest.approx(4 * len(Corpus.from_text(path, Pruning(min_count=1)).ids), rel=0.02)
    files = []
    for number in range(40):  # of which some are looked into
        path = tmp_path / f"{number}.txt"
        path.write_text("a b c\n" * 10 * number)
        files.append(str(path))
    assert check_room_for_ids(files, None) == 4 * 4 * 10 * sum(range(40))


def test_blank_lines_need_no_room(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("\n" * 500_000 + "a b\n" * 100)
    assert check_room_for_ids([str(path)], str(tmp_path)) == 4 * 300


@pytest.mark.parametrize("newline", ["", "\r"])
def test_text_without_newlines(tmp_path, newline):
    # A search for each line's end from each of its words would take hours.
    path = tmp_path / "t.txt"
    path.write_text(f"a b {newline}" * 1_000_000, newline="")
    assert check_room_for_ids([str(path)], str(tmp_path)) == pytest.approx(4 * 2_000_000, rel=0.001)


def test_texts_of_unknown_size(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(gzip.compress(b"a b\n" * 100))
    for files in ([str(path)], [], ["-"], [str(tmp_path)]):
        assert check_room_for_ids(files, str(tmp_path)) is None


@pytest.mark.parametrize("kind", ["text", "binary", "npz", "native"])
def test_the_size_of_a_file_of_vectors(tmp_path, planted, kind):
    vectors = fastw2v.train(planted, dim=100, min_count=1, epochs=1)
    vectors.save(tmp_path / "v", kind)
    assert vector_file_bytes(kind, 96, 100) == pytest.approx((tmp_path / "v").stat().st_size, rel=0.2)
