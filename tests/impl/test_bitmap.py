"""What the reference takes for an alignment."""

from __future__ import annotations

import pytest

from memoracle.impl.bitmap import is_power_of_two


@pytest.mark.parametrize("shift", [0, 1, 12, 63, 64, 200])
def test_a_power_of_two_has_one_bit(shift: int) -> None:
    power = 1 << shift
    assert is_power_of_two(power)
    assert not any(map(is_power_of_two, (-power, 3 * power, 5 * power, power + (4 * power), 0)))
