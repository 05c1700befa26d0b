"""Challenges and credentials."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidRequestError
from engine.images.registry.auth import Credentials, decode_registry_auth, parse_challenge


def test_a_bearer_challenge() -> None:
    header = 'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push"'
    challenge = parse_challenge(header)
    assert challenge
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "https://auth.test/token",
        "service": "registry.test",
        "scope": "repository:a/b:pull,push",
    }


def test_a_basic_challenge_and_an_unknown_one() -> None:
    challenge = parse_challenge('Basic realm="say \\"please\\""')
    assert challenge
    assert challenge.parameters["realm"] == 'say "please"'
    assert parse_challenge("Negotiate abc") is None


@given(st.text())
def test_any_header_is_survived(header: str) -> None:
    parse_challenge(header)
    try:
        decode_registry_auth(header)
    except InvalidRequestError:
        pass


def test_the_clients_header() -> None:
    document = {"username": "me", "password": "ä:ö", "serveraddress": "x"}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        header = encode(json.dumps(document).encode()).decode()
        assert decode_registry_auth(header) == Credentials("me", "ä:ö")
        assert decode_registry_auth(header.rstrip("=")) == Credentials("me", "ä:ö")
    assert decode_registry_auth("") == Credentials()
    with pytest.raises(InvalidRequestError):
        decode_registry_auth("!!")
