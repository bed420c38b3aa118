"""When a failed task is tried again (Kestra's models/tasks/retrys)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kestra_magic.expressions.javatime import duration_text
from kestra_magic.model.base import Flag, Model, Seconds, Whole, refused

__all__ = ["KINDS", "ConstantRetry", "ExponentialRetry", "RandomRetry", "Retry"]

Behavior = Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"]


class _Retry(Model):
    """The common part; `max_attempts` counts all attempts, the first included.

    Up to 0.23 Kestra spelled it ``maxAttempt``: both are read.
    """

    max_attempts: Annotated[Whole, Field(ge=1)] | None = None
    max_duration: Seconds | None = None
    warning_on_retry: Flag = False
    behavior: Behavior = "RETRY_FAILED_TASK"

    @model_validator(mode="before")
    @classmethod
    def _both_spellings(cls, value: Any) -> Any:
        if isinstance(value, dict) and "maxAttempt" in value and "maxAttempts" not in value:
            return {"maxAttempts" if key == "maxAttempt" else key: item for key, item in value.items()}
        return value


def _less(shorter: str, value: timedelta, longer: str, limit: timedelta | None) -> None:
    if limit is not None and value >= limit:
        raise refused(f"'{shorter}' must be less than '{longer}' but is {duration_text(value)}")


class ConstantRetry(_Retry):
    type: Literal["constant"]
    interval: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> ConstantRetry:
        _less("interval", self.interval, "maxDuration", self.max_duration)
        return self


class ExponentialRetry(_Retry):
    type: Literal["exponential"]
    interval: Seconds
    max_interval: Seconds
    delay_factor: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> ExponentialRetry:
        _less("interval", self.interval, "maxInterval", self.max_interval)
        _less("interval", self.interval, "maxDuration", self.max_duration)
        _less("maxInterval", self.max_interval, "maxDuration", self.max_duration)
        return self


class RandomRetry(_Retry):
    type: Literal["random"]
    min_interval: Seconds
    max_interval: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> RandomRetry:
        _less("minInterval", self.min_interval, "maxInterval", self.max_interval)
        _less("minInterval", self.min_interval, "maxDuration", self.max_duration)
        _less("maxInterval", self.max_interval, "maxDuration", self.max_duration)
        return self


KINDS: dict[str, type[_Retry]] = {
    "constant": ConstantRetry,
    "exponential": ExponentialRetry,
    "random": RandomRetry,
}


def _read(value: Any) -> Any:
    if isinstance(value, _Retry) or value is None:
        return value
    if not isinstance(value, dict):
        raise refused("must be a map with `type` (constant, exponential or random) and `interval`")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise refused("type: must be one of constant, exponential, random")
    return KINDS[kind].model_validate(value)


Retry = Annotated[ConstantRetry | ExponentialRetry | RandomRetry, BeforeValidator(_read)]
