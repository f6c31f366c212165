"""Files that are missing, damaged, or not what params.yaml says: one line, nothing is written, and a way out."""

import resource

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MAKERS = {
    "data/raw/waves": "source waves",
    "data/prepared/waves": "prepare waves",
    "runs/waves/waves_linear": "train waves_linear",
    "results/evaluations/jena": "evaluate jena",
    "results/metrics/waves": "evaluate waves",
}
RAW, PREPARED, RUN = "data/raw/waves", "data/prepared/waves", "runs/waves/waves_linear"


@pytest.mark.parametrize(
    ("file", "damage", "command", "says"),
    [
        (f"{RAW}/waves.npz", "gone", "prepare waves", "waves.npz is missing; run `unroll source waves` again"),
        (f"{RAW}/waves.npz", b"\0", "prepare waves", "has another sha256 than source.json says, so it is damaged"),
        (f"{PREPARED}/arrays.npz", "gone", "train waves_linear", "arrays.npz is missing; `unroll repro` builds it"),
        (f"{RUN}/run.json", "gone", "evaluate waves", "missing; `unroll repro train@waves_linear` builds it"),
        (f"{RUN}/run.json", b"epochs", "evaluate waves", "the run of waves_linear is damaged"),
        (f"{RUN}/predictions.npz", b"\0", "evaluate waves", "predictions.npz is damaged"),
        ("results/evaluations/jena/evaluation.json", "cut", "report", "evaluation.json is damaged"),
        ("results/evaluations/jena/tables/predictions.csv", "emptied", "report", "it holds no rows"),
    ],
)
def test_a_damaged_file_is_named_and_can_be_made_anew(lab, file, damage, command, says):
    whole, path = lab.outputs(), lab.root / file
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage in {"cut", "emptied"}:
        path.write_bytes(data[: 2 * len(data) // 3 - 1] if damage == "cut" else data[: data.index(b"\n") + 1])
    else:
        place = data.index(damage, len(data) // 2 if damage == b"\0" else 0)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    lab.refuses(command, says)
    lab.succeeds(next(maker for folder, maker in MAKERS.items() if file.startswith(folder)), command)
    assert lab.outputs() == whole


def test_files_that_may_not_grow(lab):
    none = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, none))
    try:
        lab.refuses("prepare waves", "a file cannot be read or written (File too large); check the disk and its limits")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (none, none))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_the_damage_it_is_one_line_or_harmless(lab, data):
    """Cuts and flipped bits anywhere. What has a checksum is read as it was written, or not at all."""
    whole = lab.outputs()
    name = data.draw(st.sampled_from([name for name in whole if name.endswith((".json", ".npz", ".csv"))]))
    folder, *rest = name.split("/")
    dataset = rest[folder in {"data", "results"}].removesuffix(".json") if len(rest) > 1 else ""
    reader = f"prepare {dataset}" if name.startswith("data/raw") else f"evaluate {dataset}"
    kept = {path: (lab.root / path).read_bytes() for path in whole}
    text = kept[name]
    place = data.draw(st.integers(0, max(len(text) - 1, 0)))
    flipped = text[:place] + bytes([text[place] ^ 1 << data.draw(st.integers(0, 7))]) + text[place + 1 :]
    whole_lines = text[: text.rfind(b"\n", 0, place) + 1]
    (lab.root / name).write_bytes(data.draw(st.sampled_from([flipped, text[:place], whole_lines])))
    try:
        ended = lab.run("report" if folder == "results" else reader)  # a traceback would be raised
    finally:
        now = lab.outputs()
        changed = {path for path in {**whole, **now} if whole.get(path) != now.get(path)}
        for path in changed:
            (lab.root / path).write_bytes(kept[path])
    assert (ended.code, ended.line.startswith("unroll: ")) in {(0, False), (1, True)}, ended.line
    if ended.code or name.endswith(".npz") or name.startswith("data/raw"):
        assert changed == {name}
    assert lab.unfinished() == []
