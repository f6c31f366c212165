"""A GRU beside n-grams on film reviews, and the n-grams alone.

The searched GRUs of `imdb` replace the n-grams. This one reads the words, too, and adds to
the score that logistic regression gives to the review's n-grams. So it can only win by what
n-grams do not say, such as the order of distant words.
"""

import keras
import numpy as np
from keras import layers
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import MultinomialNB

Arrays = dict[str, np.ndarray]
SPLITS = ("train", "validation", "test")
LONGEST = 3
FEWEST_REVIEWS = 2
PENALTY = 0.15  # scikit-learn's C: the inverse weight of the squared coefficients
FOLDS = 5
EMBEDDING = 32
UNITS = 32
BATCH = 128
EPOCHS = 4
RATE = 2e-3


def ngram_scores(arrays: Arrays) -> Arrays:
    """The log odds that the n-grams of each review give, for each split: (reviews,).

    Those of a train review come from a regression that has not seen it (five folds).
    Otherwise the GRU would trust scores that have learnt their answers by heart.
    """
    texts = {split: as_texts(arrays[f"{split}_inputs"]) for split in SPLITS}
    vectorizer = CountVectorizer(
        ngram_range=(1, LONGEST),
        min_df=FEWEST_REVIEWS,
        binary=True,
        tokenizer=str.split,
        token_pattern=None,
        dtype=np.float64,
    )
    features = {"train": vectorizer.fit_transform(texts["train"])}
    for split in ("validation", "test"):
        features[split] = vectorizer.transform(texts[split])
    known, classes = features["train"], arrays["train_targets"]
    scores = {
        split: score(known, classes, features[split])
        for split in ("validation", "test")
    }
    unseen = np.empty(len(classes))
    for fitted, held_out in KFold(FOLDS, shuffle=True, random_state=0).split(classes):
        unseen[held_out] = score(known[fitted], classes[fitted], known[held_out])
    return {"train": unseen, **scores}


def as_texts(reviews: np.ndarray) -> list[str]:
    """Reviews (n, words) as texts of numbers, without padding, which is 0."""
    return [" ".join(map(str, review[review > 0])) for review in reviews]


def score(known: csr_matrix, classes: np.ndarray, asked: csr_matrix) -> np.ndarray:
    """Log odds of the reviews `asked`, by the reviews `known` and their classes.

    Each n-gram is multiplied by its weight in naive Bayes.
    """
    bayes = MultinomialNB().fit(known, classes).feature_log_prob_
    weights = bayes[1] - bayes[0]
    regression = LogisticRegression(C=PENALTY, max_iter=1000)
    regression.fit(known.multiply(weights).tocsr(), classes)
    odds: np.ndarray = regression.decision_function(asked.multiply(weights).tocsr())
    return odds


def with_recurrence(arrays: Arrays, seed: int) -> Arrays:
    """A GRU whose pooled states correct the n-grams' log odds."""
    scores = ngram_scores(arrays)
    keras.utils.set_random_seed(seed)
    words = keras.Input(arrays["train_inputs"].shape[1:], dtype="int32")
    odds = keras.Input((1,))
    vocabulary = len(arrays["words"])
    vectors = layers.Embedding(vocabulary, EMBEDDING, mask_zero=True)(words)
    vectors = layers.SpatialDropout1D(0.3)(vectors)
    gru = layers.GRU(UNITS, return_sequences=True, return_state=True)
    states, last = gru(vectors)
    mean = layers.GlobalAveragePooling1D()(states)
    correction = layers.Dense(1)(
        layers.Dropout(0.5)(layers.Concatenate()([mean, last]))
    )
    scale = layers.Dense(1, kernel_initializer="ones")(odds)
    model = keras.Model([words, odds], layers.Add()([scale, correction]))
    model.compile(
        keras.optimizers.Adam(RATE),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        jit_compile=True,
    )
    best = KeepBest()
    inputs = {split: [arrays[f"{split}_inputs"], scores[split]] for split in SPLITS}
    model.fit(
        inputs["train"],
        arrays["train_targets"],
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(inputs["validation"], arrays["validation_targets"]),
        callbacks=[best],
        verbose=0,
    )
    model.set_weights(best.weights)
    return {
        split: probability(model.predict(inputs[split], verbose=0)[:, 0])
        for split in ("validation", "test")
    }


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the most right answers on validation."""

    def __init__(self) -> None:
        super().__init__()
        self.most = -1.0
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, _epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares this epoch with the best one so far."""
        right = (logs or {})["val_accuracy"]
        if right > self.most:
            self.most = right
            self.weights = self.model.get_weights()


def without(arrays: Arrays, _seed: int) -> Arrays:
    """The n-grams alone, which no seed changes."""
    scores = ngram_scores(arrays)
    return {split: probability(scores[split]) for split in ("validation", "test")}


def probability(odds: np.ndarray) -> np.ndarray:
    """Of class 1, from log odds."""
    share: np.ndarray = 1 / (1 + np.exp(-odds))
    return share


SIDES = {"with recurrence": with_recurrence, "without": without}
