from pathlib import Path

from passband.jobs.drawing.templates import templates


def test_a_name_may_break_after_an_underscore_or_a_slash_and_is_escaped():
    shown = templates(Path()).from_string("{{ name | breakable }}").render(name="runs/gaussian_noise-1 </b>")
    assert shown == "runs/<wbr>gaussian_<wbr>noise-1 &lt;/<wbr>b&gt;"
