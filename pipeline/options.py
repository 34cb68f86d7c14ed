"""The base of every model that a job file is read into: strict, frozen, and helpful about unknown keys."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class StrictModel(BaseModel):
    """Refuses unknown keys and wrong types; an unknown key is answered with the keys that are allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for key in given:
                if key not in cls.model_fields:
                    allowed = ", ".join(sorted(cls.model_fields)) or "none"
                    raise PydanticCustomError(
                        "unknown_key", "unknown key {key}; allowed: {allowed}", {"key": repr(key), "allowed": allowed}
                    )
        return given
