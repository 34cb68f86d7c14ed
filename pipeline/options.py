"""The base of every model that a job file is read into: strict, frozen, and helpful about unknown keys."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from passband.pipeline.problems import nearest
from passband.pipeline.shortened import spelled


class StrictModel(BaseModel):
    """Refuses unknown keys, wrong types and numbers that are not finite.

    An unknown key is answered with the one that was perhaps meant, and with those that are allowed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for key in given:
                if key not in cls.model_fields:
                    allowed = ", ".join(sorted(cls.model_fields)) or "none"
                    told = {"key": spelled(key), "near": nearest(key, cls.model_fields), "allowed": allowed}
                    raise PydanticCustomError("unknown_key", "unknown key {key}{near}; allowed: {allowed}", told)
        return given
