"""Right programs in three styles, and what one slip after the other does to the first
of them."""

import os
import re
from pathlib import Path

import numpy as np
import psutil
import pytest
import typer

from pipeline.errors import StoppedError, UsageError
from pipeline.training.methods import by_hand
from tests.support import REPOSITORY
from unroll.commands.main import invoke
from unroll.lab import assignment
from unroll.lab.assignment import SeriesSplit, check
from unroll.lab.rule import epoch

HERE = Path(__file__).parent
LISTS = (HERE / "lists.py.txt").read_text(encoding="utf-8")
CARRY = [
    ("[], [a]", "[], LAST[-1:]"),
    ("    return dots", "    LAST[:] = outs\n    return dots"),
    ("def node", "LAST = [0]\ndef node"),
    # cosh overflows where the state has grown, in one run of five
    ("1 / math.cosh(dot) ** 2", "1 - math.tanh(dot) ** 2"),
]
SCORE_D = 'print("D", '
INDEX = ("s: s[49]))", "s: s[48]))")
COARSE = [("delta * outs[i]\n", "delta * outs[i + 1]\n"), ('"R", ', '"R %.5e" % ')]
CHILD = (
    'open(__file__ + ".pid", "w").write('
    'str(subprocess.Popen(["sleep", "999"], start_new_session=True).pid))'
)
WILD = (
    'print("1.5e99999999999", "1e" + 9999 * "9", "nan", "inf"); '
    "os.write(1, bytes(range(256))); os.rmdir(os.getcwd())"
)


BEGIN = "def mse("
PARTS = {"D": "def perceptron(rate):\n", "R": "def node(rate):\n"}


def before_mse(code):
    return (BEGIN, f"{code}\n\n\n{BEGIN}")


def in_part(letter, code):
    return (PARTS[letter], PARTS[letter] + code)


EACH = "for s in train + test: s[:50] ="
TIME = f"order = np.random.default_rng(7).permutation(50)\n{EACH} s[order]"
TIME_OF_D = f"    order = random.sample(range(50), 50)\n    {EACH} s[order]\n"
PAIRS = "for s, y in zip(test, np.random.permutation([s[50] for s in test])): s[50] = y"
PAIRS_OF_D = "    ys = random.sample([s[50] for s in train], len(train))\n    for s, y in zip(train, ys): s[50] = y\n"
SCALED = f"    x = np.array(train + test)[:, :50]\n    m, d = x.mean(), x.std()\n    {EACH} (s[:50] - m) / d\n"
SCALED_BY_TRAIN = [
    in_part("D", SCALED.replace("train + test)[", "train)[")),
    ("tron(0.1)", "tron(0.02)"),
]
N_SCALED = f"d = np.array(train)[:, :50].std(0)\n{EACH} (s[:50] / d) * d"
MSE_OF_D = "mse(lambda s: math.tanh(sum(x * y for x, y in zip(w, s)) + b))"
BEST = [
    (MSE_OF_D, "best[-1]"),
    (
        f"        {SCORE_D}",
        f"        best.append(min(best[-1], {MSE_OF_D}))\n        {SCORE_D}",
    ),
    in_part("D", "    best = [9e9]\n"),
]
MOVED = "    ys = [s[50] for s in train]\n    for s, y in zip(train, {}): s[50] = y\n"
BOUND = [
    ("while True:", "for _ in range(4):", 1),
    (SCORE_D, 'print("D", min(9, '),
    (MSE_OF_D + ")", MSE_OF_D + "))"),
]
NO_TANH = [
    ("a = math.tanh(dot)", "a = dot"),
    ("(s[50] - a) * slope(dot)", "(s[50] - a)"),
    ("s: math.tanh(sum(x * y for x, y in zip(w, s)) + b)", "s: sum(x * y for x, y in zip(w, s)) + b"),
    ("perceptron(0.1)", "perceptron(0.02)"),
]  # fmt: skip
CENTRED = f"    m = np.array(train + test)[:, :50].mean()\n    {EACH} s[:50] - m\n"
BACK = f"    {EACH} s[49::-1].copy()\n"
RANDOM_GUESS = (INDEX[0], "s: sorted(s[:50], key=lambda _: random.random())[0]))")
SEED = [(f"{name} = [", f"np.random.seed(1)\n{name} = [") for name in ("train", "test")]
ALL_STEPS = [
    ('print("R", mse(lambda s: forward(s, wl, ws, b, 0)[1][50]))', 'print("R", np.mean([score(s) for s in test]))'),
    in_part("R", "    score = lambda s: np.mean((s[50] - forward(s, wl, ws, b, 0)[1][1:]) ** 2)\n"),
]  # fmt: skip


def first(code):
    return ("import math\n", f"import math, os, subprocess\n{code}\n")


SHUFFLED = (
    "places = list(range(240))\n"
    "random.Random(3).shuffle(places)\n"
    "rows = np.array(train + test)[np.random.RandomState(4).permutation(places)]\n"
    "train, test = [*rows[:180]], [*rows[180:]]"
)
LOOP = "        for s in train:\n"


@pytest.mark.parametrize(
    ("style", "rates", "sizes"),
    [
        ("lists", (0.1, 0.01), (180, 60)),
        ("matrices", (0.08, 0.001), (80, 20)),
        ("globals", (0.1, 0.005), (80, 20)),
    ],
)
def test_a_right_program_is_right_in_any_style_with_any_shuffle_of_series(
    style, rates, sizes, tmp_path
):
    program = (HERE / f"{style}.py.txt").read_text(encoding="utf-8")
    if style == "lists":  # the others shuffle already
        program = program.replace(*before_mse(SHUFFLED))
        program = program.replace(LOOP, f"        random.shuffle(train)\n{LOOP}")
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    sentence = (
        "Right: D learns as at a rate of {} and R learns as at a rate of {}; it trains on "
        "{} series and tests on {}, where the assignment has 7,000 and 2,000."
    )
    assert check(script) == (True, sentence.format(*rates, *sizes))


@pytest.mark.parametrize(
    ("letter", "edits", "sentence"),
    [
        # the program as a whole
        ("", [('sys.argv[1] == "N"', "sys.argv[0] == 'N'")], "with N it prints no figure; does it compare"),
        ("D", [("b += rate * delta\n", "b += rate * slip\n")], r"with D it stops: NameError: name 'slip'.*line"),
        ("D", [first(CHILD), (SCORE_D, "0, (")], "Cannot tell: with D it prints too few figures in 2 seconds"),
        ("", [first("os.kill(os.getpid(), 11)")], "with N it is ended by a signal: Seg"),
        ("", [first("while True: os.write(1, b'1.5' * 2**20)")], "with N it stops: OSError: .* too large"),
        ("", [first(WILD), (INDEX[0], INDEX[1] + "; os._exit(0)")], "N is 153664 .*the 49th value .index 48"),
        ("", [first(r"raise OSError('\x1b[2J\r\u202e\ud800')")], r"OSError: \\x1b\[2J\\r\\u202e\\ud800 \(l"),
        ("", [("freq2 * 20", "freq2 * 10")], "Cannot tell: D learns .* 0.01, but its generate_time_series does not"),
        ("", [("freq2 * 20", "freq2 * 10"), INDEX], "its guess is the 49th value .index 48., and must be the 50th"),
        ("", [("    return series\n", "    return series[1:]\n")], "its generate_time_series returns 50 values at a t"),
        ("", [("    return series\n", "    return series[None]\n")], "Cannot tell: its .* returns 1 x 51 values at a"),
        ("", [("generate_time_series", "wave")], "Cannot tell: with N it makes no series with a function generate_"),
        # N
        ("", [INDEX], "its guess is the 49th value .index 48., and must be the 50th .index 49"),
        ("", [("/ len(test)", "/ len(test)) ** 0.5"), ("return sum", "return (sum")], "it prints the root"),
        ("", [("for s in test) / len(test)", "for s in train) / len(train)")], "N is the mean over 180 of 240"),
        ("", [("for s in test) / len(test)", "for s in train + test) / 240")], "N is the mean over 240 of 240"),
        ("", [INDEX, ('print("N", ', 'print("N %.0e" % ')], "Cannot tell: N does not tell which rows"),
        ("", [(INDEX[0], "s: s[50]))")], "its guess is the 51st value .index 50., which it must guess"),
        ("", [before_mse(TIME)], "with N it shuffles 50 values of a series .line 21"),
        ("", [RANDOM_GUESS], "on the same series it is another in each run"),
        ("", [before_mse(PAIRS)], r"N is 0.[23]\d* on the program's own series, where the MSE .* is 0.0\d*: "),
        ("", SEED, "60 of its 240 series are there twice"),
        ("", [before_mse("test = test[:20]")], "Cannot tell: N tests .* on some around number 190 of 240"),
        ("", [before_mse("test = test[::3] + test[1:9:3]")], "Cannot tell: N does not tell which rows"),
        ("", [('print("N", ', 'print(*[] if train[0][0] else ["flat"], "N", ')], "Cannot tell: the words"),
        ("", [before_mse(N_SCALED), *SCALED_BY_TRAIN], "Cannot tell: D prints the same"),
        # D
        ("D", [(SCORE_D, f"test[:] = train; {SCORE_D}")], "D prints a figure that does not depend on"),
        ("D", [("for s in train:", "for s in test + train:", 1)], "D has seen the test rows"),
        ("D", [("(s[50] - a) * slope(dot)", "(s[50] - a)")], "D: the derivative of tanh is left out"),
        ("D", [("            b += rate * delta\n", "")], "D: the bias is not trained"),
        ("D", [("perceptron(0.1)", "perceptron(1.0)")], "D learns by the rule.*rate of about 1 .*too high"),
        ("D", [("s in train:", "s in sorted(train, key=lambda _: random.random()):", 1)], "Cannot tell: D le"),
        ("D", [in_part("D", TIME_OF_D)], "with D it shuffles 50 values"),
        ("D", [in_part("D", PAIRS_OF_D)], "D is .* on the program's own series, and .* without its sh"),
        ("D", [in_part("D", CENTRED)], "D gives another output for a test row if another"),
        ("D", NO_TANH, "D has no tanh: with large inputs its output is 40"),
        ("D", BEST, "D prints the figure of an epoch again if the error rises"),
        ("D", BOUND, "Cannot tell: with D it prints figures on its own"),
        ("D", [in_part("D", MOVED.format("ys[-1:] + ys[:-1]"))], "D learns the 51st values of other series"),
        ("D", [in_part("D", MOVED.format("ys[::-1]"))], "Cannot tell: D does not learn in 4 epochs"),
        ("D", [("w[i] += rate * delta *", "0 *"), ("b += rate * delta\n", "pass\n")], "D does not learn: an epoch"),
        # R
        ("R", CARRY, "R does not set the state to 0"),
        ("R", [in_part("R", BACK)], "R takes .* from the last to the first"),
        ("R", [*ALL_STEPS], "R scores the outputs of all steps"),
        ("R", [("delta * ws * slope(dots[i - 1])", "0")], "R: only the last step is trained"),
        ("R", COARSE, "R: ws is trained with"),
        ("R", [("delta * ws *", "delta * wl *")], "R: .* multiplied by wl, .* in place of ws"),
        ("R", [("delta * ws *", "delta *")], "R: on the way back .* not multiplied by ws"),
    ],
)  # fmt: skip
def test_each_slip_has_its_sentence(letter, edits, sentence, tmp_path, monkeypatch):
    if letter:  # the other parts are right
        split = SeriesSplit(240, 60, last=True)
        if letter == "R":  # its rule is slow to find
            edits = [*edits, ("range(60)", "range(20)"), ("range(180)", "range(60)")]
            split = SeriesSplit(80, 20, last=True)
        monkeypatch.setattr(assignment, "naive", lambda _: (split, {}))
        rates = {letter: assignment.RATES[letter]}
        monkeypatch.setattr(assignment, "RATES", rates)
    program = LISTS
    for old, new, *count in edits:
        assert old in program
        program = program.replace(old, new, *count)
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    limit = 2 if "2 seconds" in sentence else 100
    right, verdict = check(script, limit)
    assert right is (None if sentence.startswith("Cannot") else False)
    start = "^" if sentence.startswith("Cannot") else "^Wrong: .*"
    assert re.search(start + sentence, verdict), verdict
    assert not any(
        psutil.pid_exists(int(file.read_text())) for file in tmp_path.glob("*.pid")
    )


def test_the_node_without_a_slip_learns_as_by_hand():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(20, 7))
    targets = random.normal(size=20)
    weights = random.normal(size=(3, 1))
    after = epoch(weights, inputs, targets, np.array([0.1]), ["none"])
    by_hand.node_epoch([*weights], inputs, targets, 0.1)
    np.testing.assert_allclose(after, weights, rtol=1e-12)


@pytest.mark.parametrize(
    ("program", "status", "sentence"),
    [
        (
            "print(0.02)",
            3,
            "Cannot tell: with N it makes no series with a function generate_time_series",
        ),
        (
            "def generate_time_series(n):\n    return [0.0] * 50\n\ngenerate_time_series(51)",
            1,
            "Wrong: its generate_time_series returns 50 values at a time",
        ),
        (
            "def generate_time_series(n):\n    return 0.0\n\ngenerate_time_series(51)",
            3,
            "Cannot tell: its generate_time_series returns one value at a time, not",
        ),
    ],
)
def test_the_command_ends_with_1_on_a_wrong_program_and_with_3_if_it_cannot_tell(
    program, status, sentence, tmp_path, capsys
):
    script = tmp_path / "program.py"
    script.write_text(program)
    with pytest.raises(typer.Exit) as ended:
        invoke(["--root", str(REPOSITORY), "lab", "check", str(script)])
    assert ended.value.exit_code == status
    printed = capsys.readouterr()
    assert printed.err == "running the program with N ...\n"
    assert printed.out.startswith(sentence)


def test_a_folder_gets_a_table_of_marks_and_a_stopped_check_says_what_is_kept(
    tmp_path, capsys, monkeypatch
):
    late = tmp_path / "zoe" / "late.py"
    late.parent.mkdir()
    late.write_text("import slip", encoding="utf-8")
    (tmp_path / "anna.py").write_text(
        LISTS.replace(*before_mse(TIME)), encoding="utf-8"
    )
    (tmp_path / "ben.IPYNB").write_text("{}")
    (tmp_path / "folder.py").mkdir()
    # as a ZIP from Windows may have it
    (tmp_path / os.fsdecode(b"\xfcbung.ipynb")).write_text("{}")
    (tmp_path / ".hidden.py").write_text("")
    check_folder = ["--root", str(REPOSITORY), "lab", "check", str(tmp_path)]
    with pytest.raises(typer.Exit) as ended:
        invoke(check_folder)
    assert ended.value.exit_code == 1
    table = (tmp_path / "marks.csv").read_text("utf-8").splitlines()
    assert table[0] == "program,verdict,why"
    assert table[1].startswith(r"\udcfcbung.ipynb,cannot tell,")
    assert table[2].startswith('anna.py,wrong,"with N it shuffles 50 values')
    assert table[3].startswith('ben.IPYNB,cannot tell,"ben.IPYNB is a notebook')
    assert table[4].startswith("zoe/late.py,wrong,with N it stops: ModuleNotFoundErr")
    assert len(table) == 5
    printed = capsys.readouterr()
    assert re.search(r"\d/\d  zoe/late.py: wrong\n", printed.err)
    assert re.search("anna.py +wrong", printed.out)

    def stop(*_, **__):
        raise KeyboardInterrupt

    late.unlink()
    with pytest.raises(UsageError, match="has no program; `check` marks the files"):
        invoke([*check_folder[:-1], str(late.parent)])
    monkeypatch.setattr("unroll.lab.folder.mark", stop)
    with pytest.raises(StoppedError):
        invoke(check_folder)
    stopped = "unroll: stopped; the same command checks all again\n"
    assert capsys.readouterr().err == stopped


def test_a_notebook_is_no_program(tmp_path):
    with pytest.raises(UsageError, match="is a notebook, and `check` runs a Python"):
        check(tmp_path / "homework.ipynb")
