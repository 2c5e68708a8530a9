"""The forms in which a failure is written."""

from __future__ import annotations

C, CPP_GTEST, RUST, KUNIT, PYTEST, TRACE = FORMS = ("c", "cpp-gtest", "rust", "kunit", "pytest", "trace")
