"""What the tests of a format's class begin from; the class says which format it is."""

import pytest

from passband.pipeline.formats import FORMATS
from tests.pipeline.formats.made import SEVEN, made


@pytest.fixture(scope="class")
def in_formats(request):
    """Put the format of a class of tests into FORMATS, as a line there would."""
    form = request.cls.form
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FORMATS, form.name, form)
        yield form


@pytest.fixture(scope="class")
def dataset(in_formats, tmp_path_factory):
    """A dataset of seven samples in the format of the class."""
    return made(tmp_path_factory.mktemp("odd"), in_formats, SEVEN)
