"""results/answers.json: which data sets need a recurrent network, and which claims
hold.

The stage `report` writes the file; page, terminal and MLflow read it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.evaluation import claims, schema
from pipeline.evaluation.answers import Answer, answers
from pipeline.evaluation.claims import Claim, Verdict
from pipeline.evaluation.schema import Evaluation
from pipeline.files import read_checked, write_json
from pipeline.validation import Strict
from pipeline.workspace import Workspace


class AnswersFile(Strict):
    """The contents of results/answers.json.

    Attributes:
        evaluations: data set -> a short hash of the evaluation that its answers were
            made from.
        answers: data set -> "tuned", "untuned" or "segments" -> the answer for these
            networks.
        claims: "counts", the number of claims by outcome, and "documents", which holds
            document -> claim -> its outcome. Nothing reads them here.
    """

    evaluations: dict[str, str]
    answers: dict[str, dict[str, Answer]]
    claims: dict[str, Any]


def evaluations(workspace: Workspace, config: Params) -> dict[str, Evaluation]:
    """Read the evaluation of each data set that is built.

    The evaluations hold only the experiments of params.yaml, in the order of that
    file. Raises UnrollError if an evaluation is damaged.
    """
    built = {}
    for name in config.datasets:
        folder = workspace.evaluation(name)
        if (folder / "evaluation.json").is_file():
            built[name] = schema.load(folder, config.experiments_of(name))
    return built


def published(workspace: Workspace) -> list[Claim]:
    """Read claims.yaml; a project without this file has no claims.

    Raises:
        UsageError: claims.yaml is wrong.
    """
    if not workspace.claims.exists():
        return []
    return claims.load(workspace.claims)


def write(workspace: Workspace, config: Params) -> None:
    """Write results/answers.json: the answers of each data set that is built, and the
    outcome of each claim whose experiments are in params.yaml.

    Raises:
        UsageError: claims.yaml is wrong.
        UnrollError: an evaluation is damaged.
    """
    built = evaluations(workspace, config)
    known = claims.known(published(workspace), config)
    file = AnswersFile(
        evaluations={name: _brief(evaluation) for name, evaluation in built.items()},
        answers={
            name: {answer.key: answer for answer in answers(evaluation)}
            for name, evaluation in built.items()
        },
        claims=_claims([claims.judge(claim, built) for claim in known]),
    )
    write_json(workspace.answers, file.model_dump(mode="json", exclude_defaults=True))


def load(workspace: Workspace) -> AnswersFile | None:
    """Read results/answers.json; return None if there is no such file. Raises
    UnrollError if the file is damaged.
    """
    if not workspace.answers.is_file():
        return None
    return read_checked(workspace.answers, AnswersFile)


def answers_of(
    file: AnswersFile | None, name: str, evaluation: Evaluation
) -> list[Answer]:
    """Return the answers of a data set. Raises UnrollError if the file is missing or
    was not made from this evaluation.
    """
    if file is None:
        raise UnrollError("results/answers.json is missing; `unroll report` writes it")
    if file.evaluations.get(name) != _brief(evaluation):
        raise UnrollError(
            f"results/answers.json is older than the evaluation of {name}; "
            "`unroll report` writes it"
        )
    return list(file.answers[name].values())


def _brief(evaluation: Evaluation) -> str:
    return hashlib.sha256(evaluation.model_dump_json().encode()).hexdigest()[:12]


def _claims(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    documents: dict[str, dict[str, dict[str, str]]] = {}
    for verdict in verdicts:
        of_document = documents.setdefault(verdict.claim.document, {})
        key = _key(verdict.claim, of_document)
        of_document[key] = {"outcome": verdict.outcome}
    return {"counts": claims.counted(verdicts), "documents": documents}


def _key(claim: Claim, taken: Iterable[str]) -> str:
    """Return a short name for a claim, such as "waves/gru best.test.mse 0.01".

    If the name is taken, a number is appended.
    """
    said = f"{claim.relation} {claim.against}" if claim.against else str(claim.value)
    key = f"{claim.experiment} {claim.metric} {said}"
    number = sum(other == key or other.startswith(f"{key} (") for other in taken)
    return f"{key} ({number + 1})" if number else key
