"""JUnit XML, as CI servers read it: a suite for each input or component, a test for each trace or obligation.

There is no one standard; this keeps to the schema by which Jenkins' xUnit plugin checks (junit-10.xsd). What is
unknown, or was not checked, is an error, never a test that was skipped: servers count those as success. What is escaped
has no character that no XML document may have (XML 1.0, section 2.2).
"""

from __future__ import annotations

from typing import TextIO
from xml.etree import ElementTree

from memoracle.console.counted import counted
from memoracle.report.ci.cases import BROKEN, PROVE, Case, Suite
from memoracle.report.ci.findings import findings_of
from memoracle.report.run import FaultRun, Run
from memoracle.trace.quoting import escaped, escaped_lines

MOST_WARNINGS = 1000  # of a test


def write(run: Run | FaultRun, out: TextIO) -> None:
    """Writes the report: ASCII, with references for all other characters."""
    found = findings_of(run)
    suites = [suite_of(found.command, each) for each in found.suites]
    counts = {name: str(sum(int(each.attrib[name]) for each in suites)) for name in ("tests", "failures", "errors")}
    root = ElementTree.Element("testsuites", {"name": f"memoracle {found.command}", **counts})
    root.extend(suites)
    ElementTree.indent(root)
    document = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)
    out.write(document.decode("ascii") + "\n")


def suite_of(command: str, suite: Suite) -> ElementTree.Element:
    cases = [case_of(command, suite, each) for each in suite.cases]
    broken = [sum(each.find(tag) is not None for each in cases) for tag in ("failure", "error")]
    seconds = [each.seconds for each in suite.cases if each.seconds is not None]
    attributes = {
        "name": escaped(suite.name),
        "tests": str(len(cases)),
        "failures": str(broken[0]),
        "errors": str(broken[1]),
        "skipped": "0",
        **({"time": f"{sum(seconds):.3f}"} if seconds else {}),
        **({"file": escaped(suite.file)} if suite.file is not None else {}),
    }
    element = ElementTree.Element("testsuite", attributes)
    element.extend(cases)
    return element


def case_of(command: str, suite: Suite, case: Case) -> ElementTree.Element:
    """One test. Servers show one fault of a test, so all problems are in one element."""
    time = {} if case.seconds is None else {"time": f"{case.seconds:.3f}"}
    # Servers take what stands before the last dot of a class for its package.
    classname = f"memoracle.{command}" + (f".{suite.name}" if command == PROVE else "")
    element = ElementTree.Element("testcase", {"name": escaped(case.name), "classname": escaped(classname), **time})
    if case.problems:
        gravest = next((each for each in case.problems if each.kind != BROKEN), case.problems[0])
        first = case.problems[0]
        more = len(case.problems) - 1
        message = first.headline + (f"; and {more:,} more" if more else "")
        fault = ElementTree.SubElement(element, "failure" if gravest.kind == BROKEN else "error")
        fault.attrib = {"type": escaped(first.rule.name), "message": escaped(message)}
        fault.text = escaped_lines(case.text)
    warnings = [f"warning: {each.told}" for each in case.warnings[:MOST_WARNINGS]]
    if (more := len(case.warnings) - MOST_WARNINGS) > 0:
        warnings.append(f"and {counted(more, 'warning')} more")
    said = "\n".join(escaped(each) for each in (*warnings, case.said, case.tested) if each)
    ElementTree.SubElement(element, "system-out").text = said
    return element
