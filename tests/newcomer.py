"""Somebody who follows a page of the documentation to the letter, in an empty environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_BLOCK = re.compile(r"(?ms)^```(console|py|python|ini)\n(.*?)^```$")
_FILE = re.compile(r"`([\w/]+\.(?:py|html|ini))`")
_VARIABLE = re.compile(r"(\w+)=(.*)")


class Newcomer:
    """Follow the commands of a page, check what they print, and save the files.

    Commands run in a virtual environment. ``pip install`` installs the built wheel instead of a
    release. A file is the one that the text before its code names: "at the end of" adds to it.

    :param folder: an empty folder for the files.
    :param wheel: the built wheel.
    :param replacements: what to write instead of some words of the page, such as its server.
    :param environment: an environment with the wheel, of which to use a copy. Without it, the page
        has to make one.
    :param env: further environment variables.
    """

    def __init__(
        self,
        folder: Path,
        wheel: Path,
        replacements: Mapping[str, str],
        environment: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._wheel = wheel
        self._replacements = replacements
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._env = {**kept, "no_proxy": "127.0.0.1", **(env or {})}
        self._later: list[tuple[str, str]] = []
        self.folder = folder
        self.typed: list[str] = []
        if environment is not None:
            shutil.copytree(environment, folder / "environment", symlinks=True)
            self._activate(folder / "environment")

    def follow(self, page: Path, sections: Sequence[str], server: str, answers: str = "") -> None:
        """Follow sections, up to the command that starts a server.

        :param page: the page.
        :param sections: their headings.
        :param server: the command.
        :param answers: an option for the command ``createsuperuser``, which asks questions.
        """
        text = page.read_text()
        parts = [text.split(f"\n## {each}\n")[1].split("\n## ")[0] for each in sections]
        text = "".join(parts)
        for theirs, ours in self._replacements.items():
            assert theirs in text
            text = text.replace(theirs, ours)
        steps = list(self._steps(text))
        position = steps.index((f"$ {server}", ""))
        self._server, self._later = server, steps[position + 1 :]
        for step in steps[:position]:
            self._take(step, answers)

    def finish(self) -> None:
        """Follow the rest of the sections, while the server runs."""
        for step in self._later:
            self._take(step)

    def type(self, command: str) -> str:
        """Type a command, which has to succeed; return its output."""
        self.typed.append(command)
        program, *arguments = shlex.split(command)
        match program, *arguments:
            case "cd", folder:
                self.folder /= folder
                return ""
            case "python", "-m", "venv", folder:
                return self._run(sys.executable, "-m", "venv", "--without-pip", folder)
            case ".", script:
                self._activate((self.folder / script).parent.parent)
                return ""
            case "pip", "install", *names:
                packages = [self._package(name) for name in names]
                pip = ("-m", "pip", "--python", str(self._environment / "bin" / "python"))
                # Most modules of a framework are not used, and need not be compiled.
                options = ("-q", "--no-input", "--no-compile")
                return self._run(sys.executable, *pip, "install", *options, *packages)
        return self._run(program, *arguments)

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[None]:
        """Type the command that starts a server, which ends with the context.

        :param arguments: further arguments.
        """
        self.typed.append(self._server)
        words = [*shlex.split(self._server), *arguments]
        variables = {}
        while (variable := _VARIABLE.fullmatch(words[0])) is not None:
            variables[variable[1]] = variable[2]
            del words[0]
        env = self._env | variables
        with subprocess.Popen(words, cwd=self.folder, env=env) as process:
            try:
                yield
            finally:
                process.terminate()

    def _steps(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield commands with what they print, and the text before a file with its content."""
        end = 0
        for block in _BLOCK.finditer(text):
            before, end = text[end : block.start()], block.end()
            if block[1] != "console":
                yield before, block[2]
                continue
            commands = re.split(r"(?m)^(?=\$ )", block[2])
            assert not commands[0], f"a console begins with its output:\n{block[2]}"
            for command in commands[1:]:
                line, _, printed = command.partition("\n")
                yield line, printed

    def _take(self, step: tuple[str, str], answers: str = "") -> None:
        before, content = step
        if not before.startswith("$ "):
            path = self.folder / _FILE.findall(before)[-1]
            adds = "at the end of" in before
            path.write_text(path.read_text() + content if adds else content)
            return
        asks = before.endswith("createsuperuser")
        printed = self.type(f"{before.removeprefix('$ ')} {answers if asks else ''}")
        assert not content or content == printed, before

    def _activate(self, environment: Path) -> None:
        self._environment = environment
        self._env["PATH"] = f"{environment / 'bin'}{os.pathsep}{self._env['PATH']}"

    def _package(self, name: str) -> str:
        return name.replace("beaker_mongo_soajs", str(self._wheel))

    def _run(self, *command: str) -> str:
        process = subprocess.run(
            command, cwd=self.folder, env=self._env, capture_output=True, text=True, check=False
        )
        printed = f"{process.stdout}{process.stderr}"
        assert 0 == process.returncode, f"{shlex.join(command)}:\n{printed}"
        return process.stdout
