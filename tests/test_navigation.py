from __future__ import annotations

from reports.contents import SECTIONS
from reports.page.navigation import SHORT, navigation


def test_every_section_has_a_short_name_of_its_own():
    names = [section.name for section in SECTIONS]
    assert set(names) <= set(SHORT)
    assert len({SHORT[name] for name in names}) == len(names)


def test_a_section_without_one_goes_by_its_name():
    assert navigation(["speed", "my_own"]) == [("speed", "Accuracy and cost"), ("my_own", "My own")]
