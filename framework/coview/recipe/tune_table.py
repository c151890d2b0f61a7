"""``[tune]``: what each variant of a comparison may choose on validation."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from coview.plugins.own_settings import OF_A_TABLE


class TuneRange(BaseModel):
    """A range of numbers that a variant may choose from: ``{ low = 1e-3, high = 1e-1, log = true }``."""

    model_config = OF_A_TABLE

    low: float = Field(description="The least.", allow_inf_nan=False)
    high: float = Field(description="The most.", allow_inf_nan=False)
    log: bool = Field(False, description="Whether its logarithm is spread evenly: for rates and temperatures.")

    @model_validator(mode="after")
    def _in_order(self) -> TuneRange:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} has to be less than high = {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low:g} has no logarithm: it has to be above 0")
        return self


Choices = dict[str, Annotated[list[Any], Field(min_length=1)] | TuneRange]


class TuneTable(BaseModel):
    """``[tune]``: what each variant of a comparison may choose, by equally many trials on validation."""

    model_config = OF_A_TABLE

    choose: Choices = Field(
        {},
        description="Dotted key to the values that every variant may choose from: `[0.1, 0.2]`, or a range, `{ "
        "low = 1e-3, high = 0.1, log = true }`.",
    )
    variants: dict[str, Choices] = Field(
        {},
        description="The same for single variants, by name: further keys that only this variant has, such as a "
        "temperature.",
    )
    trials: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None,
        description="How many trials each variant has in each modality. Absent: every combination of lists of "
        "values; each variant has to have equally many.",
    )
    metric: str | None = Field(
        None, description="The number that decides, measured on validation. By default that of `compare.metric`."
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        1_000_003,
        description="The seed of the trials' runs, and of their draw from ranges. It must not be a seed of the "
        "sweep: the runs that are tested need other seeds than the runs that were used to choose.",
    )

    @field_validator("choose", mode="before")
    @classmethod
    def _of_all(cls, given: Any) -> Any:
        return _choices(given) if isinstance(given, dict) else given

    @field_validator("variants", mode="before")
    @classmethod
    def _of_each(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: _choices(of) if isinstance(of, dict) else of for name, of in given.items()}


def _choices(given: dict[str, Any]) -> Choices:
    """As they are given, or what is wrong with the first that is wrong."""
    found: Choices = {}
    for key, of in given.items():
        try:
            found[key] = of if isinstance(of, list) and of else TuneRange.model_validate(of)
        except ValidationError as error:
            said = error.errors()[0]
            why = f": {said['ctx']['error']}" if said["type"] == "value_error" else ""
            raise ValueError(
                f'"{key}" has to be a list of values, or a range such as {{ low = 1e-3, high = 0.1, log = true }}{why}'
            ) from error
    return found
