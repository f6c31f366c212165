from types import SimpleNamespace

from pipeline.evaluation.schema import Difference, Stat
from pipeline.report import plots, published


def stat(mean):
    return Stat(mean=mean, std=0.01, min=mean, max=mean, values=[mean] * 3, mean_ci=(mean - 0.01, mean + 0.01))


class Built(SimpleNamespace):
    """A data set with these (mean, share, layer) of each experiment, each pair a standard error of .01 apart."""

    def __init__(self, name, **models):
        entry = {
            model: SimpleNamespace(
                share=share,
                trials=12,
                layers=[layer],
                recurrent=layer == "GRU",
                score=lambda _, mean=mean: stat(mean),
            )
            for model, (mean, share, layer) in models.items()
        }
        about = SimpleNamespace(metric="mse", examples={"train": 8000})

        def difference(_, one, other):
            off = models[one][0] - models[other][0]
            return Difference(mean=off, error=0.01, freedom=None, p_value=2e-6 if abs(off) > 0.03 else 0.5)

        super().__init__(
            name=name,
            titles={model: model.removeprefix(f"{name}_").replace("gru", "GRU") for model in models},
            families=dict.fromkeys(models, "simple"),
            experiments=entry,
            about=about,
            evaluation=SimpleNamespace(dataset=about, difference=difference),
        )


def test_the_pairs_of_a_benchmark_that_cannot_be_told_apart_are_named_beside_what_is_published():
    one = Built(
        "weather_96", weather_96_gru=(0.2, 1, "GRU"), weather_96_map=(0.1, 1, ""), weather_96_repeat=(0.21, 1, "")
    )
    assert published.others(one) == {"iTransformer": 0.174, "TimesNet": 0.172, "PatchTST": 0.177}
    ((words, drawn),) = published.scores(one).panels.items()
    assert words == "2 of 3 differences exceed the scatter of seeds and weeks; not: GRU and repeat"
    assert all(name in drawn for name in ("PatchTST", "repeat"))
    assert published.scores(Built("waves")) is None


def test_a_network_and_its_opponent_are_compared_by_the_share_of_rows_that_they_saw():
    networks = {"gru": (0.1, 1, "GRU"), "gru_half": (0.2, 0.5, "GRU"), "gru_quarter": (0.3, 0.25, "GRU")}
    others = {"map": (0.15, 1, ""), "map_half": (0.21, 0.5, ""), "map_quarter": (0.2, 0.25, ""), "plain": (0.3, 1, "x")}
    one = Built("waves", **others, **networks)
    network, opponent = plots.by_share(one)
    assert (network, opponent[0.5]) == ({0.25: "gru_quarter", 0.5: "gru_half", 1: "gru"}, "map_half")
    ((words, drawn),) = plots._data_size(one).panels.items()
    assert words == "GRU against map, by train examples: 2,000: worse, 4,000: cannot tell, 8,000: better"
    assert drawn.startswith("<svg")
    assert plots._data_size(Built("waves", gru=(0.1, 1, "GRU"))) is None
