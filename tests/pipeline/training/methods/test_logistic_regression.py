from functools import partial

import numpy as np

from pipeline.data.problem import problem
from pipeline.metrics import score
from pipeline.models import baselines
from pipeline.training.job import Job
from pipeline.training.methods import logistic_regression


def test_it_finds_the_word_that_decides(reviews):
    job = Job("x", reviews, partial(baselines.bag_of_words, problem(reviews)), (0,))
    trained = logistic_regression.train(job, c=10.0)
    replicate = trained.replicates[0]
    assert score("accuracy", replicate.predictions["final_test"], reviews.splits["test"].targets) == 1.0
    assert int(np.argmax(replicate.weights["final"][:-1])) == 7
    assert trained.parameters == 31
    assert ((replicate.predictions["final_test"] > 0) & (replicate.predictions["final_test"] < 1)).all()
