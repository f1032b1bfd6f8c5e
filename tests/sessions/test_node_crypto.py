"""``store.nodeCrypto``: texts that connect-mongo encrypted, and planted ones."""

import base64
import datetime
import json
from typing import Any

import pytest

from beaker_mongo_soajs import ConfigError, DbConfig, MongoSession, SerializationError, SessionStore
from beaker_mongo_soajs.sessions.codec import JsonCodec
from beaker_mongo_soajs.sessions.node_crypto import _der, make_json_codec
from tests.application import Site, only_document
from tests.conftest import Db, Options

_SECRET = "the secret of Node"
_HEX = {"algorithm": "aes-192-gcm", "hashing": "sha384", "encodeas": "hex"}
_URL = {
    "adapter": "webCrypto",
    "encoding": "base64url",
    "salt": "sält",
    "iterations": 1000,
    "ivLength": 16,
}
_SESSION = {
    "cookie": {"originalMaxAge": None, "expires": None, "httpOnly": True, "path": "/"},
    "user": "änn",
    "n": 7,
}
# Written by connect-mongo 6.0.0 with kruptein 3.0.8; "object" is as connect-mongo 5 writes without
# stringify.
_TEXTS: dict[str, tuple[Options, str]] = {
    "kruptein": (
        {},
        (
            "MIIB9gSBnFYwNE4zTzZuWEQ3U2pNcEZ0VUQ0SE5EZkJyNWh0emtidHBpU1hEUUhYb3JqVCtwZFQ4MmRwaTB6"
            "VVdVMVB4Z2NXRXgvd2NKZE1CQ2dBV2V1K2lVbEVoY1ZXUms5MCtRc1RUdUE5RjJiZ0Fubm1ERTkyZHUvQTdl"
            "ZkRLd2FXaklYOW4rb1VUYTlRVUp1MVJlZXExSU10UDNEcUVFPQRYZzlQNEtJYmRLS0o1c1NBS3NIcFJuNytD"
            "cUZaZEhjdTNtczRBU0d2UlpuelBOYlFQamFWcXJXQXlIMW5ZOGJJM0xJTFlvQk1pLzliTG05Sll4RzFrM0E9"
            "PQQMvvRMCUzcHciHtGKeBIGAVpIkz4LlBQ1HFroY0dzhSjw0AwYASIcaJz0zc9q7vuIR+4f7pWKjtH//79MD"
            "9DSm3ttKATVlW56GvvmLM2oCUmkcIkZHd7bOO95slxUoi7jdBIfqwdxPWgo1aEYQIboDFrd1biWDWdqT8Xdf"
            "yl9CHoMRsFwjWAXeWT0UREyyF4gEEHW904Uiy6f52biyUp8MM70EWFdpTE9TL0VreHcwWnc0ZXNNU25RYjdh"
            "c3ZuZjFaUXZCNDdDd1E4WHJBa3FmOExaOUY4TDk4aU9idG15ZTRSbWk0dzdlTjRLRjdHbG1UTzgwb3JQZU5R"
            "PT0="
        ),
    ),
    "object": (
        {},
        (
            "MIIB2gSBgGpHdWwvR3dSbHVwMUhZRDFtT3FteFhQYzNHcXI3SFB6dFlzSGFoaTBndnJNa2JuTGdqbHZXeUM1"
            "ZDduN2Nvd01tQVJXcHo0R0R0VUt1ZGk5OW1nUjJxbTVSdjlxSjFhcGJqems0SUF2V3ExZTk2WVJZdE82L2V6"
            "VmxUZEk1SW15BFg5Rmk0b1Y5YVBZMEh3cUREMXd5bGNrN09yM1prc3F0TDY3SDVLeEZMMFVSaXlmaWZKUHRh"
            "YURmbXdmc3ZqY1RreEM4QTRSUzZFa2UycGp5eHJEZDRHZz09BAzCDAgLKiUkdPOtri4EgYB7HNZxLqmJLRaz"
            "qmX2z0Ax7HmPRfLtx1vhOqh2fWk41wtjm1qwmqXiXtE5ejA5j662lqrX4GyUJvaB/l663/acJPoEvFRZBM7j"
            "570PncOBSWjIqvuvViiJRYn1EDNJIVc52BNZmiwV/9D/sV78tMbhvPCdNkh5ZqbuDkTyHi8lIAQQxDiGKbOR"
            "8UP4ztVaWfkxswRYaUZPTG5OOGU5RzcxRzhrNDIxU0lJSjdoQkV1eVJUQ24ycFFXMkN5SXRnWjVpZWIwQ3BD"
            "SHNJeC9GSk5yZmZSdWMwcUo2K0Z3UnVCc09idk1oMVNpRGc9PQ=="
        ),
    ),
    "kruptein with options": (
        _HEX,
        (
            "308202520481e83732636263323563653466316230353963613163366262366539333761373137356133"
            "386333316662646437386363613566656364623364333763663836366166363833383663653161346565"
            "353165316338643530363639616436613065336631333037633639636634313666633137646330306435"
            "636139383933313235663638646465333336626562353236366130306336323761383630393131373431"
            "386136393362366662613836376233636163353565386166313036303132356439393733653732343033"
            "376231303064663833343761336338643261346537383863316232633404606461656437663436393636"
            "326433626633383561343566636561383563643338396634643861333834313532373535626636653438"
            "343362393535373466376236643433336165633663333132373562386137386132636137313233663065"
            "38040c09c09bcb3eba3cf93b8bacc204818066284f4c78bd02744381c9d9d6b471e76004ad7869fe6163"
            "ce981c1b904d9a821d1d660752df7d479181e4cf8117a55da47f1ef47b394c37f7f014a74dbd71f67b70"
            "f50fc5bedb0dbb45373a2b411f6587a1a570acc493920cc713adc8682d6150225b823a83abfe50b6a18c"
            "3472545c08975b4870b55e5cd2941b3b6148a8a20410b9a62ff27317f814ba921850f140808804603964"
            "336339646564323830653835366636626265666463643362636334343337653163626165353835643232"
            "636339383362343733323533323237326163616431363738653063613462646237336635353336663134"
            "34666662623765396432"
        ),
    ),
    "webCrypto": (
        {"adapter": "webCrypto"},
        (
            "FMaRmnBPYdZdpKxq88oNEzgIHQdBk+6FYiv/AL0uYcLW5H545OIw6EjY815P+ZGwgMrQG6BssXL496P+0kOp"
            "CNLOBezB0WxKXugajvbgOhL+oE1FLXPVMjDixGVE0kvqije1L+7gFmbDPxMutOMDFpXrO3M9K+1gqaGBrg=="
        ),
    ),
    "webCrypto with options": (
        _URL,
        (
            "v2Q5W276oYqf8FFk5Pos_Bp_myawUvw1i17kHQYuanqYvKQO1jCi0noC_awIceo3kIXizIGakA_-"
            "CXtOX9VQK8gJoSE1m2vijN7dudVEHIMHwty-Iv--"
            "8r0xOn_8AvvkEyDweU9-ZxG4KzX7QDfkHVaQCZjxfoFvISwxpT9MBvY"
        ),
    ),
}


def codec(options: Options, *, stringify: bool = True) -> JsonCodec:
    """Return the codec of a configuration."""
    store = {"nodeCrypto": {"secret": _SECRET} | options}
    return make_json_codec(DbConfig.from_options({"stringify": stringify, "store": store}), None)


@pytest.mark.parametrize("name", list(_TEXTS))
def test_known_answers(name: str) -> None:
    """What connect-mongo encrypted is read with the same options."""
    options, text = _TEXTS[name]
    assert _SESSION == codec(options).loads(text)
    for stringify in (True, False):
        made = codec(options, stringify=stringify).dumps(_SESSION)
        assert _SESSION == codec(options).loads(made)


@pytest.mark.parametrize(
    ("size", "header"),
    [(127, "047f"), (128, "048180"), (255, "0481ff"), (256, "04820100"), (65536, "0483010000")],
)
def test_lengths_in_der(size: int, header: str) -> None:
    """A length in DER has as few digits as it needs."""
    assert header == _der(0x04, bytes(size))[:-size].hex()


class TestPlanted:
    """Texts that somebody without the secret wrote."""

    @pytest.mark.parametrize("name", list(_TEXTS))
    def test_each_change_is_noticed(self, name: str) -> None:
        """A text with another character anywhere, or cut anywhere, is refused."""
        options, text = _TEXTS[name]
        reader = codec(options)
        step = len(text) // 30
        for position in range(0, len(text) - 2, step):
            other = "1" if text[position] != "1" else "2"
            for planted in (text[:position], text[:position] + other + text[position + 1 :]):
                with pytest.raises(SerializationError) as caught:
                    reader.loads(planted)
                assert "session" == caught.value.path

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "é",
            "MA==",
            "MIQ=",
            "MIT/////",
            "MAA=",
            "MAIEAA==",
            "A" * 1_000_000,
            base64.b64encode(b"\x30\x84\x7f\xff\xff\xff" + b"\x04\x00" * 6).decode(),
            base64.b64encode(b"\x30\x0c" + b"\x04\x00" * 6).decode(),
            base64.b64encode(b"\x30\x0e" + b"\x04\x00" * 7).decode(),
        ],
        ids=range(12),
    )
    @pytest.mark.parametrize("options", [{}, {"adapter": "webCrypto"}], ids=["kruptein", "web"])
    def test_no_ciphertext(self, options: Options, text: str) -> None:
        """A text in another format is refused before a key is derived from it."""
        with pytest.raises(SerializationError, match="cannot be decrypted with"):
            codec(options).loads(text)

    @pytest.mark.parametrize("name", list(_TEXTS))
    def test_another_secret(self, name: str) -> None:
        """A text that another secret encrypted is refused."""
        options, text = _TEXTS[name]
        with pytest.raises(SerializationError, match="same secret and options"):
            codec(options | {"secret": "another"}).loads(text)

    @pytest.mark.parametrize(
        "value", [{"user": "eve"}, json.dumps({"user": "eve"}), b"bytes", None, 7, ["a list"]]
    )
    def test_plain_sessions(self, value: Any, options: Options, database: Db) -> None:
        """A session that is not encrypted is refused, and kept."""
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        document = {"_id": "planted", "session": value, "expires": expires}
        database.sessions.insert_one(document)
        with SessionStore(options | _STORE) as store, pytest.raises(SerializationError):
            store.get("planted")
        assert value == only_document(database)["session"]

    def test_a_pickle(self, options: Options, database: Db) -> None:
        """A pickle inside a valid ciphertext is not loaded."""
        tagged = {"__type__": "pickle", "value": "gASVBQ=="}
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        text = codec({}).dumps({"user": tagged})
        database.sessions.insert_one({"_id": "planted", "session": text, "expires": expires})
        with (
            SessionStore(options | _STORE) as store,
            pytest.raises(SerializationError, match=r"unless store\.pickle"),
        ):
            store.get("planted")


_STORE: Options = {"store": {"nodeCrypto": {"secret": _SECRET}}}


class TestSessions:
    """Sessions that Python stores."""

    def test_without_the_options(self, options: Options, database: Db) -> None:
        """An application without the options refuses an encrypted session."""
        with SessionStore(options | _STORE) as store:
            store.set("a session", {"user": "ann"})
        assert "ann" not in str(only_document(database))
        with (
            SessionStore(options) as store,
            pytest.raises(SerializationError, match=r"store\.nodeCrypto"),
        ):
            store.get("a session")

    def test_searches(self, options: Options) -> None:
        """Encrypted sessions cannot be searched."""
        with (
            SessionStore(options | _STORE) as store,
            pytest.raises(ConfigError, match="found by their ids alone") as caught,
        ):
            next(store.find(user="ann"))
        assert "store.nodeCrypto" == caught.value.option

    def test_python_values(self, options: Options) -> None:
        """Values of Python keep their types, and a new id keeps the session."""
        visitor = Site(options | _STORE).visitor()
        value = {1, 2, datetime.date(2026, 1, 2)}
        visitor.save(value=value)
        assert value == visitor.read()["value"]


class _Serializer:
    """A serializer of an application."""

    loads = dumps = staticmethod(bytes)


class TestOptions:
    """Options that contradict each other."""

    @pytest.mark.parametrize(
        ("group", "option", "hint"),
        [
            ({"adapter": "webCrypto"}, "secret", "createWebCryptoAdapter"),
            ({"secret": ""}, "secret", "text or bytes"),
            ({"secret": 7}, "secret", "text or bytes"),
            ({"secret": "a", "salt": "b"}, "salt", "Remove it, or set adapter to webCrypto."),
            ({"secret": "a", "adapter": "webCrypto", "hashing": "sha256"}, "hashing", "kruptein"),
            ({"secret": "a", "algorithm": "aes-256-cbc"}, "algorithm", "aes-256-gcm"),
            ({"secret": "a", "algorithm": "AES-GCM"}, "algorithm", "Remove it"),
            ({"secret": "a", "adapter": "webCrypto", "ivLength": 4}, "ivLength", "from 8 to 128"),
            ({"secret": "a", "use_scrypt": True}, "use_scrypt", "There is no option"),
        ],
        ids=str,
    )
    def test_invalid(self, group: Options, option: str, hint: str) -> None:
        """Each mistake is one error that names the option and the remedy."""
        with pytest.raises(ConfigError, match=hint) as caught:
            DbConfig.from_options({"store": {"nodeCrypto": group}})
        assert 1 == len(caught.value.errors)
        assert f"store.nodeCrypto.{option}" == caught.value.option

    def test_other_encryption(self, options: Options) -> None:
        """``encrypt_key`` beside ``store.nodeCrypto`` is an error."""
        keys = {"encrypt_key": "a", "validate_key": "b", "crypto_type": "cryptography"}
        with pytest.raises(
            ConfigError, match=r"that Beaker encrypts\. Remove session\.encrypt_key"
        ) as caught:
            DbConfig.from_options(_STORE | keys)
        assert "encrypt_key" == caught.value.option
        with pytest.raises(ConfigError, match=r"Remove session\.encrypt_key"):
            Site(options | _STORE | keys).visitor().save(user="ann")
        with pytest.raises(
            ConfigError, match=r"Beaker serializes\. Remove session\.data_serializer"
        ):
            MongoSession({}, **options, **_STORE, data_serializer=_Serializer()).load()

    def test_without_the_cookie(self) -> None:
        """``store.nodeCrypto`` implies ``store.expressCookie``, and contradicts its opposite."""
        assert DbConfig.from_options(_STORE).store.express_cookie
        group = {"nodeCrypto": {"secret": "a"}, "expressCookie": False}
        with pytest.raises(ConfigError, match=r"store\.nodeCrypto is set") as caught:
            DbConfig.from_options({"store": group})
        assert caught.value.value is False

    def test_indexes(self) -> None:
        """Encrypted sessions cannot be indexed by their keys."""
        with pytest.raises(ConfigError, match="stores sessions as text"):
            DbConfig.from_options({"store": _STORE["store"] | {"indexes": ["session.user"]}})

    def test_secrets_are_masked(self) -> None:
        """No report shows the secret or the salt."""
        group = {"secret": "s3cret-one", "salt": "s4lt-one", "adapter": "webCrypto"}
        config = DbConfig.from_options({"store": {"nodeCrypto": group}})
        for text in (repr(config), config.explain(defaults=True)):
            assert "webCrypto" in text
            assert "-one" not in text

    def test_without_cryptography(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the package cryptography, the error says what to install."""
        monkeypatch.setattr("beaker_mongo_soajs.config.node_crypto.find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"Run pip install .beaker_mongo_soajs.encryption"):
            DbConfig.from_options(_STORE)
