"""Every file of the command line is a command."""

from __future__ import annotations

import argparse

import pytest

from ablate import cli, command_line
from ablate.command_line import FIRST, commands

FOUND = commands()


def test_commands_are_shown_in_the_order_in_which_they_are_needed():
    assert tuple(FOUND)[: len(FIRST)] == FIRST
    assert tuple(FOUND)[len(FIRST) :] == tuple(sorted(set(FOUND) - set(FIRST)))


@pytest.mark.parametrize("name", FOUND)
def test_a_command_says_in_a_line_what_it_does_and_what_it_can_be_told(name: str):
    command, parser = FOUND[name], argparse.ArgumentParser()
    command.add_options(parser)
    assert command.HELP and "\n" not in command.HELP and not command.HELP.endswith(".")
    assert all(action.help for action in parser._actions if not action.choices)


def test_a_file_more_is_a_command_more(monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "say_hello.py").write_text('HELP = "greets"\n')
    monkeypatch.setattr(command_line, "__path__", [*command_line.__path__, str(tmp_path)])
    assert list(commands())[-1] == "say-hello"


def test_a_pipe_has_room_for_tables_and_a_terminal_its_own_width(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert cli._console().width == cli.PIPE
    monkeypatch.setenv("COLUMNS", "72")
    assert cli._console().width == 72
