"""What all tests share: settings of hypothesis that suit a run in parallel."""

from __future__ import annotations

from hypothesis import settings

# Other workers compete for the processors, so the time one example takes says nothing. Failures print how to replay.
settings.register_profile("duckraft", deadline=None, print_blob=True)
settings.load_profile("duckraft")
