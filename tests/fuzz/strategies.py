"""Hypothesis strategies of cases: command lines with options of every command, and damage."""

import json
from collections.abc import Iterator
from typing import Any

import click
from damage import KINDS
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from kit import COMMANDS

from cgmgm_seis_cli.main import main

# Texts for everything; an argument cannot hold the character 0, and bytes that are no UTF-8 come as
# surrogates.
ODD = (
    *("", " ", "-", "--", "nan", "inf", "-inf", "1e400", "1e308", "-1e308", "1e-320", "-0.0", "0"),
    *("-1", "1", "1.5", "9" * 30, "0x10", "1_0", "1,2", "1,2,3,4", "2x2", "1/2", "None", "true"),
    *("é", "\U0001d518", "\u202e", "\x1b[31m", "\n", "\t", "\udcff", "x" * 250, "x" * 5000),
    *("*", "[", "?", "**", "~", "%s", "{}", "'", '"', "$(x)", ";", "a b", "\\", ":", "@"),
)
PLACES = (
    *("new", "new/deeper/new", ".", "..", "/", "./", "../new", "nowhere", "locked", "locked/new"),
    *(
        "event.xml",
        "event.xml/new",
        "dataset",
        "dataset/metadata.csv",
        "run",
        "search",
        "waveforms",
    ),
    *("waveforms", "generated", "shards", "tiny", "tiny.json", "tiny.pt", "tiny.zip", "evo"),
    *("stations.csv", "stations.xml", "flat.csv", "stationlist.json", "report_EW.csv", "gmm.npz"),
    *(
        "model.nd",
        "ranges.json",
        "recipe.json",
        "space.json",
        "best_model.pt",
        "waveforms/BK.BRIB.mseed",
    ),
    *("/dev/null", "/dev/full", "/proc/self/mem", "a/" * 600 + "b", ".hidden", "new.png"),
)
# Valid values of types of this package, by the name that the help shows.
VALID = {
    "lat,lon": ("37.9,-122.1", "90,180", "-90,-180", "0,0", "37.9,-122.1001", "38,-122.2"),
    "time": ("2020-01-01", "1678-01-01", "2261-12-31T23:59:59", "1970-01-01", "0", "2020-02-30"),
    "text": ("Z", "ZNE", "EN", "E", "ZZ", "X"),
    "w,e,s,n": ("-122.3,-122,37.8,38", "179,-179,-1,1", "0,0,0,0", "-122,-123,37,38", "1,2,3,4"),
    "rowsxcolumns": ("1x1", "2x3", "0x1", "-1x2", "1x", "99999999999x99999999999", "1X2"),
    "i/n": ("1/1", "1/2", "2/2", "3/2", "0/1", "1/1000000", "1/99999999999999999999"),
    "numbers": ("1", "0.1,1", "0", "-1", "1e-9", "1e9", "50", "49.9", "1,1", "0.01", "100"),
    "words": ("maps", "waveforms", "fas", "psa,pga", "figures,html", "openquake", "pga,pga"),
    "model": ("cgmgm", "evolutionary", "CGMGM"),
}
# Options of which a larger number is more work, and those that start others or never end.
WORK = {
    *("n_realizations", "events", "epochs", "trials", "n_draws", "n_classifiers", "workers"),
    *("devices", "latent", "width", "prior", "embedding", "stations_per_event", "tries"),
    *("random_trials", "max_distance_km"),
}
LEFT_OUT = {"ray", "ray_address", "help", "version", "picks", "devices"}


def _leaf(words: list[str]) -> tuple[click.Command, int]:
    """Return the command that some words name, and how many of them do."""
    command: click.Command = main
    for number, word in enumerate(words):
        if not isinstance(command, click.Group):
            return command, number
        found = command.get_command(click.Context(command), word)
        assert found is not None, word
        command = found
    return command, len(words)


def _values(param: click.Parameter) -> Iterator[Any]:
    """Yield strategies of the values of a parameter, as texts: valid ones first."""
    kind, name = param.type, param.name or ""
    if isinstance(kind, click.Choice):
        yield st.sampled_from([*kind.choices])
    elif isinstance(kind, click.IntRange):
        low, high = int(kind.min or 0), int(kind.max or 0)
        few = range(low, min(low + 3, high + 1))
        yield st.sampled_from([*few, low - 1, high + 1]).map(str)
        if name not in WORK:
            yield st.sampled_from([high, high - 1]).map(str)
    elif isinstance(kind, click.FloatRange):
        low, high = float(kind.min or 0), float(kind.max or 0)
        near = (low, high, low - 1e-9, high * (1 + 1e-12), 0.0, 1.0, 0.5, 1e-6, 50.0, 100.0)
        yield st.sampled_from(near).map(str)
        yield st.floats(max(low, -1e3), min(high, 1e3)).map(str)
        yield st.floats().map(str)
    elif kind.name in VALID:
        yield st.sampled_from(VALID[kind.name])
    elif isinstance(kind, click.Path) or param.metavar:
        yield st.sampled_from(PLACES)
    yield st.sampled_from(ODD)
    yield st.sampled_from(ODD + PLACES)


def value_of(param: click.Parameter) -> st.SearchStrategy[str]:
    """Return a strategy of the values of a parameter, two thirds of which are nearly valid."""
    found = list(_values(param))
    return st.one_of(*found[:-2], *found[:-2], *found[-2:])


@st.composite
def command_lines(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a command of the kit, with further options, and with changed words."""
    words = draw(st.sampled_from([*COMMANDS])).split()
    command, named = _leaf(words)
    options = [
        own for own in command.params if isinstance(own, click.Option) and own.name not in LEFT_OUT
    ]
    for option in draw(st.lists(st.sampled_from(options), max_size=3)) if options else ():
        text = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if option.is_flag or (option.flag_value is not None and option.name == "verbosity"):
            words.append(text)
        elif option.nargs > 1:
            words += [text, *(draw(value_of(option)) for _ in range(option.nargs))]
        elif text.startswith("--"):
            words.append(f"{text}={draw(value_of(option))}")
        else:
            words += [text, draw(value_of(option))]
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(named, len(words)))
        if place < len(words) and words[place].startswith("-"):
            del words[place]
        else:
            words[place : place + 1] = [draw(st.sampled_from(PLACES + ODD))]
    return {"command": words, "damage": []}


@st.composite
def damaged_files(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a command of the kit, and damage to the files that it reads."""
    command = draw(st.sampled_from([line for line, files in COMMANDS.items() if files]))
    change = st.tuples(
        st.sampled_from(COMMANDS[command]), st.sampled_from(KINDS), st.integers(0, 2**31 - 1)
    )
    changes = draw(st.lists(change, min_size=1, max_size=2))
    return {"command": command.split(), "damage": [[*change] for change in changes]}


def drawn(strategy: Any, number: int, own_seed: int) -> list[dict[str, Any]]:
    """Return the different ones among a number of cases, which are always the same for a seed."""
    found: dict[str, dict[str, Any]] = {}

    @seed(own_seed)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(strategy())
    def note(case: dict[str, Any]) -> None:
        found[json.dumps(case)] = case

    note()
    return [*found.values()]
