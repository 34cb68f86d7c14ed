from jobs.report.templates import templates


def test_a_name_may_break_after_an_underscore_and_is_escaped():
    shown = templates().from_string("{{ name | breakable }}").render(name="gaussian_noise-1 <b>")
    assert shown == "gaussian_<wbr>noise-1 &lt;b&gt;"
