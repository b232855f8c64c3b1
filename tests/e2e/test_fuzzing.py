"""Every operation of the public document, tried by schemathesis through the real gateway."""

import pytest

from devkit.fuzzing.run import fuzz
from devkit.stack import Stack

EXAMPLES = 3


@pytest.mark.spec("ERR-7", "ERR-8")
async def test_no_operation_answers_anything_undeclared_or_a_5xx(stack: Stack) -> None:
    outcome = await fuzz(stack, EXAMPLES, capture=True)

    assert outcome.exit_code == 0, outcome.said
