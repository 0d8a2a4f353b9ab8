"""How the learning rate changes from step to step."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR

from course_utils.data.names import unknown

SCHEDULES = ("constant", "poly", "one_cycle", "step")
POWER = 0.9


def make_schedule(name: str, optimizer: Optimizer, steps: int) -> LRScheduler:
    """A schedule over `steps` training steps that starts from the optimiser's learning rates.

    - "constant": they stay.
    - "poly": times (1 - step / steps) ** 0.9, as in DeepLab (Chen et al., 2017, section 4.1).
    - "one_cycle": up to them in the first 30 % of the steps, then down to nearly 0 (Smith & Topin, 2018).
    - "step": divided by 10 after each third of the steps.

    Raises ValueError for another name.
    """
    if name == "constant":
        return LambdaLR(optimizer, lambda step: 1.0)
    if name == "poly":
        return LambdaLR(optimizer, lambda step: max(1 - step / steps, 0.0) ** POWER)
    if name == "one_cycle":
        return OneCycleLR(optimizer, max_lr=[group["lr"] for group in optimizer.param_groups], total_steps=steps + 1)
    if name == "step":
        return StepLR(optimizer, step_size=max(-(-steps // 3), 1), gamma=0.1)
    raise unknown("schedule", name, SCHEDULES)
