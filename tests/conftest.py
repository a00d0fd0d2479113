"""What all tests share: settings of hypothesis that suit a run in parallel, and `--rewrite` for golden scripts."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Other workers compete for the processors, so the time one example takes says nothing. Failures print how to replay.
settings.register_profile("duckraft", deadline=None, print_blob=True)
settings.load_profile("duckraft")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite`: golden scripts take what the code prints now."""
    parser.addoption(
        "--rewrite", action="store_true", help="write the present output into the golden scripts"
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden scripts are to be written anew."""
    return bool(request.config.getoption("--rewrite"))
