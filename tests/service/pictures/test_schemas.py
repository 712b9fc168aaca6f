"""What is said of a stack is what is written of one."""

from __future__ import annotations

import json

from tests.service.stored import make_wafer
from waferscope.service.pictures.draw import stack_json, stack_wafers
from waferscope.service.pictures.schemas import StackShown


def test_the_numbers_of_a_stack_have_the_shape_that_is_documented() -> None:
    written = json.loads(stack_json(stack_wafers([make_wafer(1), make_wafer(2)])))
    assert StackShown.model_validate(written).model_dump() == written
