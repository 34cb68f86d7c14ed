"""The base of every model that a job file is read into: strict, frozen, and helpful about unknown keys.

What a job file may name beside its keys (stages, sources, objectives, corruptions) stands in dicts: `listed`.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

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


def listed(names: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """Return a type for fields of models: what `make` makes of a dict, made anew when a line is added to the dict.

    So a line that is added by a program of somebody else counts from then on, in jobs and in their JSON schema.

    Parameters
    ----------
    names : the dict that `make` reads
    make : callable
        Gives the type that a field has by the lines that are there now.
    """
    first = make()
    return Annotated[first, _Current(names, make, first)]


class _Current:
    """Annotation of a field whose type is what `make` gives by the lines that are in `names` when it is read."""

    def __init__(self, names: Mapping[str, Any], make: Callable[[], Any], first: Any) -> None:
        self._names, self._make = names, make
        self._lines, self._type = tuple(names.items()), first
        self._adapter: TypeAdapter[Any] | None = None

    def adapter(self) -> TypeAdapter[Any]:
        """Return what validates values of the type."""
        lines = tuple(self._names.items())
        if lines != self._lines:
            self._lines, self._type, self._adapter = lines, self._make(), None
        if self._adapter is None:
            self._adapter = TypeAdapter(self._type)
        return self._adapter

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(lambda given: self.adapter().validate_python(given))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(self.adapter().core_schema)
