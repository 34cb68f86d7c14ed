"""FFCV, held to what every format promises."""

from passband.pipeline.formats import FORMATS
from tests.pipeline.formats.contract import ExportContract


class TestFfcv(ExportContract):
    form = FORMATS["ffcv"]
