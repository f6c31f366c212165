from pipeline.evaluation import claims
from tests.support import REPOSITORY
from unroll.results import lecturers


def test_the_page_for_lecturers_is_that_of_claims_yaml():
    """Where it is not: python -c "from tests.unroll.results.test_lecturers import write; write()"."""
    assert (REPOSITORY / "docs/lecturers.md").read_text(encoding="utf-8") == made()


def made():
    return lecturers.page(claims.load(REPOSITORY / "claims.yaml"))


def write():
    (REPOSITORY / "docs/lecturers.md").write_text(made(), encoding="utf-8")
