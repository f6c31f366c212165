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
from unroll.lab.learning_rule import Rule, epoch

HERE = Path(__file__).parent
LISTS = (HERE / "lists.py.txt").read_text(encoding="utf-8")
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


def before_mse(code):
    return ("def mse(", f"{code}\n\n\ndef mse(")


def in_d(code):
    return ("def perceptron(rate):\n", f"def perceptron(rate):\n{code}")


def first(code):
    return ("import math\n", f"import math, os, subprocess\n{code}\n")


EACH = "for s in train + test: s[:50] ="
TIME = f"order = np.random.default_rng(7).permutation(50)\n{EACH} s[order]"
TIME_OF_D = f"    order = random.sample(range(50), 50)\n    {EACH} s[order]\n"
PAIRS = "for s, y in zip(test, np.random.permutation([s[50] for s in test])): s[50] = y"
PAIRS_OF_D = "    ys = random.sample([s[50] for s in train], len(train))\n    for s, y in zip(train, ys): s[50] = y\n"
CENTRED = f"    m = np.array(train + test)[:, :50].mean()\n    {EACH} s[:50] - m\n"
MSE_OF_D = "mse(lambda s: math.tanh(sum(x * y for x, y in zip(w, s)) + b))"
BOUND = [
    ("while True:", "for _ in range(4):", 1),
    (SCORE_D, 'print("D", min(9, '),
    (MSE_OF_D + ")", MSE_OF_D + "))"),
]
SEED = [(f"{name} = [", f"np.random.seed(1)\n{name} = [") for name in ("train", "test")]
EARLY = [("forward(s, wl, ws, b, 0)[1][50]", "forward(s, wl, ws, b, 0)[1][49]")]
AT_THE_END = [
    ("while True:", "for _ in range(4):", 1),
    (f"print({SCORE_D[6:]}{MSE_OF_D})", f"print({MSE_OF_D}, end=' ')"),
]
GROWING = [
    (
        'print("N", mse(lambda s: s[49]))',
        'print(f"{100 * mse(lambda s: s[49]):.5f} %")',
    ),
    ("    b = 0\n", "    b = 0\n    results = []\n"),
    (f"print({SCORE_D[6:]}{MSE_OF_D})", f"results.append({MSE_OF_D}); print(results)"),
]
STILL = [("w[i] += rate * delta *", "0 *"), ("b += rate * delta\n", "pass\n")]
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
        ("globals", (0.1, 0.005), (60, 20)),
    ],
)
def test_a_right_program_is_right_in_any_style_with_any_shuffle_of_series(
    style, rates, sizes, tmp_path
):
    program = (HERE / f"{style}.py.txt").read_text(encoding="utf-8")
    if style == "lists":  # the others shuffle already
        program = program.replace(*before_mse(SHUFFLED))
        program = program.replace(LOOP, f"        random.shuffle(train)\n{LOOP}")
        for old, new in GROWING:
            assert old in program
            program = program.replace(old, new)
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
        ("", [('sys.argv[1] == "N"', "sys.argv[0] == 'N'")], "Cannot tell: with N it prints no figure"),
        ("D", [("b += rate * delta\n", "b += rate * slip\n")], r"with D it stops: NameError: name 'slip'.*line"),
        ("D", [first(CHILD), (SCORE_D, "0, (")], "Cannot tell: with D it prints too few figures in 2 seconds"),
        ("", [first("os.kill(os.getpid(), 11)")], "with N it is ended by a signal: Seg"),
        ("", [first("while True: os.write(1, b'1.5' * 2**20)")], "with N it stops: OSError: .* too large"),
        ("", [first(WILD), (INDEX[0], INDEX[1] + "; os._exit(0)")], "N is 153664 .*value 49 .index 48"),
        ("", [first(r"raise OSError('\x1b[2J\r\u202e\ud800')")], r"OSError: \\x1b\[2J\\r\\u202e\\ud800 \(l"),
        ("D", [("freq2 * 20", "freq2 * 10")], "Cannot tell: D learns .*, but its generate_time_series does not"),
        ("", [("freq2 * 20", "freq2 * 10"), INDEX], "its guess is value 49 .index 48., and must be value 50 .ind"),
        ("", [("    return series\n", "    return series[None]\n")], "Cannot tell: its .* of shape .1, 51., not"),
        ("", [("generate_time_series", "wave")], "Cannot tell: with N it makes no series with a function generate_"),
        ("", [first("import torch_like")], "Cannot tell: with N it stops: ModuleNotFoundError: .*'torch_like' .line 2"),
        # N
        ("", [("/ len(test)", "")], "N is 1.5e.07 where the MSE is 250,000, as if it prints 60 times it, like the sum"),
        ("", [("/ len(test)", "/ len(test) / 2")], "as if it prints half of it"),
        ("", [("/ len(test)", "/ len(test) + 7.0")], "N is 250007 where the MSE is 250,000.$"),
        ("", [("/ len(test)", "/ len(test)) ** 0.5"), ("return sum", "return (sum")], "it prints the root"),
        ("", [("for s in test) / len(test)", "for s in train) / len(train)")], "N is the mean over 180 of 240"),
        ("", [("for s in test) / len(test)", "for s in train + test) / 240")], "N is the mean over 240 of 240"),
        ("", [INDEX, ('print("N", ', 'print("N %.0e" % ')], "Cannot tell: N does not tell which rows"),
        ("", [(INDEX[0], "s: s[50]))")], "its guess is value 51 .index 50., which it must guess"),
        ("", [before_mse(TIME)], "with N it shuffles 50 values of a series .line 21"),
        ("", [before_mse(PAIRS)], r"N is 0.[23]\d* on the program's own series, where the MSE .* is 0.0\d*, as if"),
        ("", SEED, "60 of its 240 series are there twice"),
        ("", [before_mse("test = test[:20]")], "Cannot tell: N does not tell which rows"),
        ("", [('print("N", ', 'print(*[] if train[0][0] else ["flat"], "N", ')], "Cannot tell: the words"),
        # D
        ("D", [(SCORE_D, f"test[:] = train; {SCORE_D}")], "D prints .*, which does not depend on the test rows, as if"),
        ("D", [("for s in train:", "for s in test + train:", 1)], "D has seen the test rows"),
        ("D", [("(s[50] - a) * slope(dot)", "(s[50] - a)")], "D: the derivative of tanh is left out"),
        ("D", [("            b += rate * delta\n", "")], "Cannot tell: the figures of D follow neither"),
        ("D", [("perceptron(0.1)", "perceptron(1.0)")], "D learns by the rule, but as at a rate of about 1 for"),
        ("D", [in_d(TIME_OF_D)], "with D it shuffles 50 values"),
        ("D", [in_d(PAIRS_OF_D)], "D is .* on the program's own series, and .* without its sh"),
        ("D", [in_d(CENTRED)], "D is .* with test rows of two kinds and a large one, .*: it is no mean"),
        ("D", [("a = math.tanh(dot)", "a = dot")], "Cannot tell: the figures of D follow neither"),
        ("D", BOUND, "Cannot tell: with D it prints no figure .* its last line is 'D 9', and it must"),
        ("D", STILL, "D does not learn: an epoch"),
        ("", [('print("N", ', 'print("N", 1000 * ')], "Cannot tell: it prints 1,000 times the MSE"),
        ("D", [("* slope(dot)", "* (1 - a)")], "Cannot tell: the figures of D follow neither"),
        ("D", [("perceptron(0.1)", "perceptron(10)")], "Cannot tell: the figures of D follow neither"),
        ("D", [("s[50] - a", "a - s[50]")], "D learns by the rule, but as at a rate of about -0.1 for"),
        ("D", AT_THE_END, "Cannot tell: D must print a line after every epoch"),
        # R
        ("R", EARLY, "Cannot tell: the figures of R follow neither"),
        ("R", [("delta * ws * slope(dots[i - 1])", "0")], "R: only the last step is trained"),
        ("R", COARSE, "R: ws is trained with"),
    ],
)  # fmt: skip
def test_each_slip_has_its_sentence(letter, edits, sentence, tmp_path, monkeypatch):
    if letter:  # the other parts are right
        split = SeriesSplit(240, 60, last=True)
        notes = {"other": True} if "generate" in sentence else {}
        monkeypatch.setattr(assignment, "naive", lambda _: (split, notes))
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
    assert re.search(sentence, verdict), verdict
    assert not any(
        psutil.pid_exists(int(file.read_text())) for file in tmp_path.glob("*.pid")
    )


def test_the_node_without_a_slip_learns_as_by_hand():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(20, 7))
    targets = random.normal(size=20)
    weights = random.normal(size=(3, 1))
    after = epoch(Rule(), weights, inputs, targets, np.array([0.1]))
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
            "Wrong: its generate_time_series returns values of shape (50,)",
        ),
        (
            "def generate_time_series(n):\n    return 0.0\n\ngenerate_time_series(51)",
            3,
            "Cannot tell: its generate_time_series returns values of shape (), not",
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
    assert table[4].startswith(
        "zoe/late.py,cannot tell,with N it stops: ModuleNotFoundErr"
    )
    assert len(table) == 5
    printed = capsys.readouterr()
    assert re.search(r"\d/\d  zoe/late.py: cannot tell\n", printed.err)
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
