"""The page as a reader's browser has it."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import params
from pipeline.evaluation.playable import RARE
from pipeline.files import write_json
from pipeline.report.built_results import load
from pipeline.report.page import page
from pipeline.training.methods import by_hand
from tests.pipeline.evaluation.test_playable import numbers
from tests.support import chromium

LAYOUT = Path(chromium.__file__).with_name("layout.js").read_text(encoding="utf-8")
SHOWN = {"waves": "perceptron", "imdb": "rnn", "jena_hourly": "gru"}
"""An experiment of each data set: with floors, with stand-ins and a table of words,
with a unit and many columns."""

COMMITTED = Path(__file__).parents[3] / "results"


if chromium.find() is None:
    pytest.skip(
        f"no Chromium on PATH ({', '.join(chromium.NAMES)}): no page in it",
        allow_module_level=True,
    )


@pytest.fixture(scope="module")
def path(evaluated, tmp_path_factory):
    """Runs made of noise beside trained networks, with words that would be elements if
    they were no text."""
    results = load(evaluated, params.load(evaluated.params))
    file = tmp_path_factory.mktemp("page") / "index.html"
    built = []
    for dataset in (dataset for dataset in results.built if dataset.name in SHOWN):
        folder = shutil.copytree(dataset.folder, file.parent / dataset.name)
        for noise in (folder / "tables").glob("network*.json"):
            noise.unlink()
        [network, *_] = committed(dataset.name)
        network |= {"experiment": SHOWN[dataset.name]}
        network["words"] = [
            f"<{word}>" if word and word != RARE else word for word in network["words"]
        ]
        write_json(folder / "tables" / "network.json", network)
        built.append(dataclasses.replace(dataset, folder=folder))
    file.write_text(page(dataclasses.replace(results, built=built)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(path, tmp_path_factory):  # noqa: ARG001 -- made first: its minutes on a busy machine are not Chromium's
    with chromium.tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser, path):
    """The page in a window, with what is folded open."""
    browser.open(path)
    browser.run(LAYOUT)

    def look(**how):
        browser.look(**how)
        browser.run("layout.unfold()")

    browser.unfolded = look
    return browser


def committed(name):
    """The trained networks of a data set, in the page's order."""
    files = (COMMITTED / "evaluations" / name / "tables").glob("network*.json")
    networks = [json.loads(file.read_text("utf-8")) for file in files]
    return sorted(networks, key=lambda network: len(network["weights"][0]))


def test_it_asks_for_nothing_complains_of_nothing_and_runs_no_script_but_its_own(
    tab, path
):
    assert tab.requests == [path.as_uri()]
    assert tab.errors == []
    tab.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert tab.run("window.ran") is None


@pytest.mark.parametrize(("width", "media"), [(390, ""), (1280, ""), (718, "print")])
def test_nothing_is_wider_than_its_box_or_over_another_and_a_finger_hits_what_it_is_for(
    tab, width, media
):
    tab.unfolded(width=width, media=media)
    tab.look(
        width=width,
        height=tab.run("document.documentElement.scrollHeight"),
        media=media,
    )
    faults = ("wide", "overlapping", "covered", *["small"] * (not media))
    assert {fault: tab.run(f"layout.{fault}()") for fault in faults} == {
        fault: [] for fault in faults
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out(tab, scheme):
    tab.unfolded(scheme=scheme)
    assert tab.run("matchMedia('(prefers-color-scheme: dark)').matches") == (
        scheme == "dark"
    )
    assert tab.run("layout.pale()") == []


def panel(tab, name, kind="network", number=0):
    """A panel of a data set, open, as an expression of JavaScript."""
    box = f"document.querySelectorAll('#{name} [data-{kind}]')[{number}]"
    tab.run(f"{box}.closest('.fold').open = true")
    tab.run(
        f"new Promise((ready) => ({box}.addEventListener('toggle', ready, {{once: true}}), {box}.open = true))"
    )
    return box


def choose(tab, box, control, value, event="input"):
    element = f"{box}.querySelector('.{control}')"
    tab.run(f"{element}.value = {value}, {element}.dispatchEvent(new Event('{event}'))")


USE_EVERYTHING = """(box) => {
  const shown = (selector) => [...box.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const turn = (control, value) => {
    control.value = value;
    control.dispatchEvent(new Event("input"));
  };
  const used = [];
  for (const list of shown("select")) {
    for (const { value } of [...list.options].reverse()) turn(list, value);
    used.push(list.className);
  }
  for (const slider of shown("input")) {
    const [low, high] = [Number(slider.min), Number(slider.max)];
    for (const value of [low, (low + high) / 2, high]) {
      turn(slider, value);
      if (slider.matches(".rate, .across, .up")) box.querySelector(".train").click();
    }
    used.push(slider.className);
  }
  for (const drawn of shown("svg.input")) {
    const { left, top, width, height } = drawn.getBoundingClientRect();
    for (const share of [0, 0.5, 1, 1.1]) {
      const place = { clientX: left + share * width, clientY: top + share * height, buttons: 1 };
      for (const kind of ["pointerdown", "pointermove"]) drawn.dispatchEvent(new PointerEvent(kind, place));
    }
    used.push("input");
  }
  for (const word of shown(".review span")) word.click();
  for (const button of shown("button")) {
    button.click();
    button.click();
    used.push(button.classList[0]);
  }
  return used;
}"""
NETWORK_CONTROLS = ["example", "seed", "view", "step"]


def test_whatever_can_be_used_in_a_playable_network_works_without_a_complaint(
    tab, path
):
    tab.open(path)
    used = {
        name: tab.run(f"({USE_EVERYTHING})({panel(tab, name)})")
        for name in ("waves", "jena_hourly", "imdb")
    }
    nodes = tab.run(f"({USE_EVERYTHING})({panel(tab, 'waves', 'nodes')})")
    values = [*NETWORK_CONTROLS, "value", "input", "again"]
    assert used == {
        "waves": values,
        "jena_hourly": values,
        "imdb": [*NETWORK_CONTROLS, "rare", "again"],
    }
    assert nodes == ["across", "up", "rate", "train", "again"]
    assert tab.errors == []


def test_a_word_of_a_padded_review_is_hidden_and_comes_back(tab, path):
    tab.open(path)
    box = panel(tab, "imdb")
    button = f"{box}.querySelector('.rare')"
    word = f"{box}.querySelector('.review .at')"
    state = (
        f"[{word}.textContent, {button}.textContent, {box}.found[0].outputs.at(-1)[0]]"
    )
    last, hide, score = tab.run(state)
    assert (last, hide) == ("<movie>", "hide this word (…)")
    tab.click(button)
    hidden, show, other = tab.run(state)
    assert (hidden, show) == (RARE, "show this word again")
    assert abs(other - score) > 1e-4
    tab.click(button)
    assert tab.run(state) == [last, hide, score]
    # the first word, and one that is rare from the start
    tab.click(f"{box}.querySelectorAll('.review span')[1]")
    tab.click(button)
    assert tab.run(f"{word}.textContent") == RARE
    tab.click(f"{box}.querySelector('.again')")
    rare = f"[...{box}.querySelectorAll('.review span')].find((one) => one.textContent === '{RARE}')"
    tab.click(rare)
    assert tab.run(f"{button}.disabled")
    assert tab.errors == []


HEIGHT = 6000
"""The most pixels of the page, before anything is opened."""


def test_the_committed_page_is_folded_and_a_link_opens_where_it_leads(browser):
    for width in (390, 1280):
        browser.open(COMMITTED / "index.html", width=width)
        assert browser.run("document.documentElement.scrollHeight") <= HEIGHT
    assert browser.run("document.querySelectorAll('.fold[open]').length") == 0
    browser.click("document.querySelector('nav a[href=\"#waves\"]')")
    opened = "[...document.querySelectorAll('.fold[open]')].map((one) => one.parentElement.id)"
    assert browser.run(opened) == ["waves"]
    assert browser.errors == []


def test_the_filter_filters_every_table_and_the_menu(browser):
    browser.open(COMMITTED / "index.html")
    browser.run(
        "window.left = (text) => { const box = document.querySelector('nav input'); "
        "box.value = text; box.dispatchEvent(new Event('input')); "
        "const shown = (selector) => [...document.querySelectorAll(selector)]"
        ".filter((one) => !one.closest('[hidden]')); "
        "return {rows: shown('section tbody tr:not(.group)').map((one) => one.textContent.toLowerCase()), "
        "headings: shown('.heading').map((one) => one.textContent), "
        "groups: shown('#answers .group').length, "
        "sections: shown('section.of').map((one) => one.id)} }"
    )
    every = browser.run("left('')")
    gru = browser.run("left('gru')")
    assert 0 < len(gru["rows"]) < len(every["rows"])
    assert all("gru" in row for row in gru["rows"])
    assert 0 < gru["groups"] < every["groups"]
    waves = browser.run("left('noisy waves hurts')")
    assert waves["sections"] == ["waves"]
    assert waves["headings"] == []
    nothing = browser.run("left('xylophone')")
    assert nothing == {"rows": [], "headings": [], "groups": 0, "sections": []}
    assert browser.run("!document.getElementById('nothing').hidden")
    assert browser.run("left('')") == every


def reactions(network):
    """By Keras, of the first seed: the norm of the last output's gradient by what each
    timestep gives to the cell."""
    cell = {
        "simple_rnn": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }[network["cell"]]
    ends = np.cumsum([math.prod(shape) for shape in network["shapes"]])[:-1]
    arrays = [
        part.reshape(shape)
        for part, shape in zip(
            np.split(numbers(network["weights"][0]), ends),
            network["shapes"],
            strict=True,
        )
    ]
    inputs = numbers(network["inputs"][0])
    inputs = (
        arrays.pop(0)[inputs.astype(int)]
        if network["words"]
        else inputs.reshape(-1, len(arrays[0]))
    )
    units = [len(array) for array in arrays[1:-2:3]]
    head = keras.layers.Dense(
        network["shapes"][-1][0], activation="sigmoid" if network["classify"] else None
    )
    model = keras.Sequential(
        [*(cell(count, return_sequences=True) for count in units), head]
    )
    values = tf.constant(inputs[None])
    model(values)
    model.set_weights(arrays)
    with tf.GradientTape() as tape:
        tape.watch(values)
        output = model(values)[0, -1, -1]
    return tf.norm(tape.gradient(output, values)[0], axis=1).numpy()


def test_trained_networks_say_in_the_committed_page_what_they_say_in_keras_and_react_as_far_back(
    tab,
):
    assert (COMMITTED / "index.html").stat().st_size < 1_200_000
    tab.open(COMMITTED / "index.html")
    names = tab.run(
        "[...document.querySelectorAll('[data-network]')].map((one) => one.closest('section').id)"
    )
    assert names
    networks = [
        (name, number, network)
        for name in dict.fromkeys(names)
        for number, network in enumerate(committed(name))
    ]
    assert len(networks) == len(names)
    for name, number, network in networks:
        box = panel(tab, name, number=number)
        reaction = tab.run(f"{box}.found[0].felt")
        assert reaction == pytest.approx(
            reactions(network)[-len(reaction) :], rel=1e-3, abs=1e-6
        ), name
        for index, predicted in enumerate(network["predicted"]):
            choose(tab, box, "example", index)
            outputs = "outputs.flat()" if network["each_step"] else "outputs.at(-1)"
            said = np.array(tab.run(f"{box}.found.map((one) => one.{outputs})"))
            assert said == pytest.approx(
                np.array(predicted[: len(said)]), rel=1e-6, abs=1e-6
            ), name


def test_the_node_learns_by_the_assignments_rule(tab, path):
    tab.open(path)
    box = panel(tab, "waves", "nodes")
    tab.click(f"{box}.querySelector('.train')")
    learned = tab.run(f"{box}.learned()")
    assert len(learned["path"]) == 201, "at once, where motion is to be reduced"
    series = np.array(learned["series"])
    weights = [np.array([value], float) for value in learned["path"][0]]
    for _ in range(3):
        by_hand.node_epoch(weights, series[:, :-1], series[:, -1], 0.01)
    assert np.ravel(weights) == pytest.approx(learned["path"][3], rel=1e-9)
    tab.click(f"{box}.querySelector('.path')")
    assert tab.run(f"{box}.learned().path") == [[1, 0, 0]]
