"""Reports for CI servers and code hosts, held to the schemas that are published of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import xmlschema

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "tests" / "data" / "schemas"


@cache
def schema_of_junit() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


@cache
def schema_of_sarif() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")))


@dataclass
class Reports:
    """Of one run, valid as their schemas say."""

    status: int
    suites: ElementTree.Element
    sarif: dict[str, Any]
    github: list[str]
    document: dict[str, Any]
    summary: str

    @property
    def commands(self) -> list[str]:
        return [line for line in self.github if line.startswith("::")]

    @property
    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sarif["runs"][0]["results"]
        return found

    @property
    def faults(self) -> list[ElementTree.Element]:
        return [each for tag in ("failure", "error") for each in self.suites.iter(tag)]


def valid(status: int, texts: dict[str, str], document: dict[str, Any], summary: str) -> Reports:
    schema_of_junit().validate(texts["junit"])
    log = json.loads(texts["sarif"])
    schema_of_sarif().validate(log)
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in log["runs"][0]["results"]] == [
        each["ruleId"] for each in log["runs"][0]["results"]
    ]
    assert all(text.isascii() for text in (texts["junit"], texts["sarif"]))
    suites = ElementTree.fromstring(texts["junit"])
    for suite in suites:
        assert suite.attrib["tests"] == str(len(suite.findall("testcase")))
        assert int(suite.attrib["failures"]) == len([*suite.iter("failure")])
        assert int(suite.attrib["errors"]) == len([*suite.iter("error")])
    return Reports(status, suites, log, texts["github"].splitlines(), document, summary)
