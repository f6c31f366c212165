import pytest
from filelock import FileLock, Timeout

from pipeline.errors import UnrollError
from pipeline.locks import alone


def test_a_second_one_is_told_so_at_once_until_the_first_has_left(tmp_path):
    lock = tmp_path / "new" / "work.lock"
    with alone(lock, "at work"), pytest.raises(UnrollError, match="^at work$"), alone(lock, "at work"):
        pass
    with alone(lock, "at work"), alone(lock.with_name("other.lock"), "at work"):
        pass


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, Timeout])
def test_what_goes_wrong_inside_is_passed_on_and_the_lock_released(tmp_path, error):
    lock = tmp_path / "work.lock"
    with pytest.raises(error), alone(lock, "at work"):
        raise error(str(lock))
    with FileLock(lock, timeout=0):
        pass
