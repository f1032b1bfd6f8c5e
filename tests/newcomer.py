"""Somebody who follows a page of the documentation to the letter, in an empty environment."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_BLOCK = re.compile(r"(?ms)^```(console|py|python)\n(.*?)^```$")
_FILE = re.compile(r"`([\w/]+\.(?:py|html|ini))`")


class Newcomer:
    """Follow the commands and save the files of one section of a page.

    Commands run in a virtual environment. ``pip install`` installs the built wheel instead of a
    release. A file is the one that the text before its code names: "at the end of" adds to it.

    :param folder: an empty folder for the environment and the files.
    :param wheel: the built wheel.
    :param replacements: what to write instead of some words of the page, such as its server.
    :param env: further environment variables.
    """

    def __init__(
        self, folder: Path, wheel: Path, replacements: Mapping[str, str], env: Mapping[str, str]
    ) -> None:
        self._environment = folder / "environment"
        self._wheel = wheel
        self._replacements = replacements
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        kept["PATH"] = f"{self._environment / 'bin'}{os.pathsep}{kept['PATH']}"
        self._env = {**kept, **env}
        self.folder = folder
        self.typed: list[str] = []
        self._run(sys.executable, "-m", "venv", "--without-pip", str(self._environment))

    def follow(self, page: Path, section: str, answers: Mapping[str, str]) -> None:
        """Follow a section, except its last command, which starts a server.

        :param page: the page.
        :param section: its heading.
        :param answers: for commands that ask questions, an option that answers them.
        """
        text = page.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
        for theirs, ours in self._replacements.items():
            assert theirs in text
            text = text.replace(theirs, ours)
        steps = list(self._steps(text))
        for kind, step in steps[:-1]:
            if kind == "command":
                self.type(f"{step} {answers.get(step, '')}")
            else:
                self._save(kind, step)
        self._server = steps[-1][1]

    def type(self, command: str) -> str:
        """Type a command, which has to succeed; return its output."""
        self.typed.append(command)
        program, *arguments = shlex.split(command)
        if program == "cd":
            self.folder /= arguments[0]
            return ""
        if [program, *arguments[:1]] == ["pip", "install"]:
            packages = [self._package(name) for name in arguments[1:]]
            pip = ("-m", "pip", "--python", str(self._environment / "bin" / "python"))
            return self._run(sys.executable, *pip, "install", "--quiet", "--no-input", *packages)
        return self._run(program, *arguments)

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[None]:
        """Type the command that starts a server, which ends with the context.

        :param arguments: further arguments.
        """
        self.typed.append(self._server)
        command = [*shlex.split(self._server), *arguments]
        with subprocess.Popen(command, cwd=self.folder, env=self._env) as process:
            try:
                yield
            finally:
                process.terminate()

    def _steps(self, text: str) -> Iterator[tuple[str, str]]:
        end = 0
        for block in _BLOCK.finditer(text):
            before, end = text[end : block.start()], block.end()
            if block[1] == "console":
                for line in block[2].splitlines():
                    assert line.startswith("$ "), line
                    yield "command", line.removeprefix("$ ")
            else:
                yield before, block[2]

    def _save(self, before: str, code: str) -> None:
        path = self.folder / _FILE.findall(before)[-1]
        adds = "at the end of" in before
        path.write_text(path.read_text() + code if adds else code)

    def _package(self, name: str) -> str:
        return name.replace("beaker_mongo_soajs", str(self._wheel))

    def _run(self, *command: str) -> str:
        process = subprocess.run(
            command,
            cwd=self.folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert 0 == process.returncode, f"{shlex.join(command)}:\n{process.stdout}"
        return process.stdout
