"""What a resumed run shares with the run before."""

from cgmgm_seis.storage.identity import difference, digest, plain

BEFORE = {"model": {"width": 16, "periods": (0.1, 0.3)}, "seed": 1}


def test_what_a_file_gives_back_is_the_same():
    assert plain(BEFORE)["model"]["periods"] == [0.1, 0.3]
    assert difference(plain(BEFORE), BEFORE) is None
    assert digest(plain(BEFORE)) == digest(BEFORE)


def test_a_difference_is_named_by_its_dotted_key():
    now = {"model": {"width": 32, "periods": (0.1, 0.3)}, "seed": 1}
    assert difference(BEFORE, now) == "model.width = 16, not 32"
    assert digest(BEFORE) != digest(now)


def test_what_only_one_of_two_has_is_a_difference():
    assert difference(BEFORE, {**BEFORE, "unit": "m/s"}) == "unit = None, not m/s"
    assert difference({**BEFORE, "unit": "m/s"}, BEFORE) == "unit = m/s, not None"
