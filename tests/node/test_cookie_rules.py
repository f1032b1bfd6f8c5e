"""The cookie, compared with the packages ``cookie`` and ``cookie-signature`` of Node."""

import random
from datetime import UTC, datetime
from typing import Any

from beaker_mongo_soajs import express_cookie
from tests.effort import times
from tests.node.express import NAME, Node

_SECRETS = ["keyboard cat", "ein Geheimnis für €"]
_CHARACTERS = "abAB01._-~!*'()+/= \t\"%;:,éÿ\x80sconnect"
_ID_CHARACTERS = 'abcXYZ019_-.~ é€%+/=;"'
_DATE = datetime(2026, 11, 28, 4, 5, 6, tzinfo=UTC)


def _id(draw: random.Random) -> str:
    return "".join(draw.choices(_ID_CHARACTERS, k=draw.randint(1, 12)))


def _mutated(draw: random.Random, text: str) -> str:
    characters = list(text)
    for _ in range(draw.choice((0, 0, 1, 2))):
        position = draw.randrange(len(characters) + 1)
        characters[position : position + draw.randint(0, 1)] = draw.choices(
            _CHARACTERS, k=draw.randint(0, 1)
        )
    return "".join(characters)


def _cookie(draw: random.Random) -> str:
    value = express_cookie.cookie_value(_id(draw), draw.choice([*_SECRETS, "another"]))
    value = _mutated(draw, draw.choice((value, value, value.replace("%3A", ":"), f'"{value}"')))
    name = draw.choice((NAME, NAME, NAME, "Connect.sid", f" {NAME}\t", "connect_sid", "other"))
    return name + draw.choice(("=", "=", "=", " = ", "\t=", "")) + value


def _header(draw: random.Random) -> str:
    parts = [
        _cookie(draw) if draw.random() < 0.8 else _mutated(draw, "a=b")
        for _ in range(draw.randint(1, 4))
    ]
    return draw.choice((";", "; ", ";;", " ; ")).join(parts)


def _attributes(draw: random.Random) -> dict[str, Any]:
    choices: dict[str, list[Any]] = {
        "path": ["/", "/shop", None], "domain": [None, "example.org"],
        "expires": [None, _DATE.isoformat()], "httpOnly": [True, False, None],
        "secure": [True, False, None], "partitioned": [None, True],
        "priority": [None, "low", "High"], "sameSite": [None, False, True, "lax", "STRICT", "none"],
    }  # fmt: skip
    return {name: draw.choice(values) for name, values in choices.items()}


def test_no_difference(node: Node) -> None:
    """Random headers and values are read and written as Node's packages do."""
    draw = random.Random(18)
    headers = [_header(draw) for _ in range(times(2_000))]
    values = [(_id(draw), draw.choice(_SECRETS), _attributes(draw)) for _ in range(times(300))]
    wish = {"reads": headers, "writes": values, "secrets": _SECRETS, "name": NAME}
    answer = node.ask("POST", "/fuzz", wish)
    read = [express_cookie.session_id(header, NAME, _SECRETS) for header in headers]
    for header, expected, found in zip(headers, answer["reads"], read, strict=True):
        assert expected == found, header
    # Enough of them are valid.
    assert len(headers) / 10 < sum(found is not None for found in read)
    for (session_id, secret, attributes), written in zip(values, answer["writes"], strict=True):
        expires = _DATE if attributes["expires"] else None
        value = express_cookie.cookie_value(session_id, secret)
        assert written == express_cookie.set_cookie(NAME, value, attributes, expires)
