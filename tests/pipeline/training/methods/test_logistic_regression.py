from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression

from pipeline.data.problem import problem
from pipeline.metrics import score
from pipeline.models import baselines
from pipeline.training.job import Job
from pipeline.training.methods import logistic_regression


def test_what_is_learnt_of_words_comes_from_the_train_split(reviews):
    job = Job("x", reviews, partial(baselines.tfidf, problem(reviews), reviews=2), (0,))
    replicate = logistic_regression.train(job, c=100.0).replicates[0]
    features = job.build().learn(reviews.splits["train"].inputs)
    x, x_test = (features(reviews.splits[split].inputs) for split in ("train", "test"))
    library = LogisticRegression(C=100.0, max_iter=1000).fit(x, reviews.splits["train"].targets)
    np.testing.assert_allclose(replicate.predictions["final_test"], library.predict_proba(x_test)[:, 1], rtol=1e-6)
    assert len(replicate.weights["final"]) == x.shape[1] + 1
    again = logistic_regression.train(job, c=100.0).replicates[0]
    assert again.predictions["final_test"].tobytes() == replicate.predictions["final_test"].tobytes()


def test_it_finds_the_word_that_decides(reviews):
    job = Job("x", reviews, partial(baselines.bag_of_words, problem(reviews)), (0,))
    trained = logistic_regression.train(job, c=10.0)
    replicate = trained.replicates[0]
    assert score("accuracy", replicate.predictions["final_test"], reviews.splits["test"].targets) == 1.0
    assert int(np.argmax(replicate.weights["final"][:-1])) == 7
    assert trained.parameters == 31
    assert ((replicate.predictions["final_test"] > 0) & (replicate.predictions["final_test"] < 1)).all()
