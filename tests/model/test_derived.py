"""What is made of weights is made once, and anew after any change of them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mravff_core.model.derived import Derived


class Doubled(nn.Module):
    """Twice its weight, and how often that was worked out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 700))
        self.made = 0
        self._doubled = Derived(self._double)

    def _double(self, weight: Tensor) -> tuple[Tensor, ...]:
        self.made += 1
        return (2 * weight,)

    def forward(self) -> Tensor:
        return self._doubled(self.weight)[0]


def _step(module: Doubled) -> None:
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    with torch.enable_grad():
        module.weight.sum().backward()
    optimiser.step()


def _poke(module: Doubled) -> None:
    module.weight[3, 5] += 1


def _load(module: Doubled) -> None:
    module.load_state_dict({"weight": torch.randn(6, 700)})


def _average(module: Doubled) -> None:
    module.state_dict()["weight"].copy_(torch.randn(6, 700))


def _replace(module: Doubled) -> None:
    module.weight = nn.Parameter(torch.randn(6, 700))


def _move(module: Doubled) -> None:
    module.weight.data = torch.randn(6, 700)


def _write_past_the_counter(module: Doubled) -> None:
    module.weight.data.mul_(0.5)


@pytest.mark.parametrize(
    "change", [_step, _poke, _load, _average, _replace, _move, _write_past_the_counter], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_every_change_is_noticed_and_nothing_else(
    change: Callable[[Doubled], None], mode: Callable[[], torch.no_grad]
) -> None:
    module = Doubled()
    with mode():
        assert torch.equal(module(), 2 * module.weight) and module() is module()
        assert module.made == 1
    with torch.no_grad():
        change(module)
    with mode():
        assert torch.equal(module(), 2 * module.weight)
        assert module.made == 2


def test_gradients_flow_where_they_are_asked_for() -> None:
    module = Doubled()
    with torch.no_grad():
        module()
    module().sum().backward()
    assert module.weight.grad is not None and torch.equal(module.weight.grad, torch.full((6, 700), 2.0))


def test_a_copy_goes_its_own_way() -> None:
    module = Doubled()
    with torch.no_grad():
        module()
        other = copy.deepcopy(module)
        other.weight.zero_()
        assert float(other().abs().max()) == 0 and torch.equal(module(), 2 * module.weight)


def test_weights_made_in_inference_mode_count_no_writes_and_are_taken_as_they_are() -> None:
    with torch.inference_mode():
        module = Doubled()
        module()
        module.weight.fill_(3.0)
        assert torch.equal(module(), torch.full((6, 700), 6.0))
