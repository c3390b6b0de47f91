"""The report in Markdown, for where no page can be shown."""

from __future__ import annotations

from reports.graphics.escaping import escape_markdown as escape
from reports.page.page import Parts


def markdown(parts: Parts) -> str:
    """The words, the tables and links to the figures, section by section as on the page."""
    facts = parts.found.facts
    lines = [f"# {escape(facts.get('question') or facts.get('study_name', 'Report'))}", ""]
    lines += [escape(parts.said.sentence), ""]
    lines += [escape(parts.said.choices), ""] if parts.said.choices else []
    lines += [f"- {escape(doubt)}" for doubt in parts.said.doubts]
    lines += ["", "## Health", ""]
    for finding in parts.health:
        lines.append(f"- {finding.level}: {escape(finding.text)}")
        lines += [f"  - {escape(detail)}" for detail in finding.details]
    for part in parts.sections:
        lines += ["", *part.markdown]
    return "\n".join(lines) + "\n"
