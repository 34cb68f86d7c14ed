"""WebDataset, held to what every format promises."""

from passband.pipeline.formats import FORMATS
from tests.pipeline.formats.contract import FormatContract


class TestWebDataset(FormatContract):
    form = FORMATS["webdataset"]
