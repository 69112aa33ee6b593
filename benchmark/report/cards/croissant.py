"""The card for machines: Croissant 1.0 with the Responsible AI vocabulary.

The format is that of https://docs.mlcommons.org/croissant/docs/croissant-spec.html and
https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html; the tests hold it to the
validator of its authors, ``mlcroissant``. Pictures are rendered on the machine that evaluates, so
what is distributed is the list of rows, and the groups are in the file itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

from benchmark.report.cards.facts import Facts
from benchmark.report.cards.markdown import SOURCES
from benchmark.report.cards.rows import GroupCount

_SITE = "https://equilux.readthedocs.io"
_SPDX = "https://spdx.org/licenses/"
#: The context that the specification recommends, to the letter.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FILE = "samples.csv"


def croissant(facts: Facts, rows: bytes) -> dict[str, Any]:
    """``croissant.json`` as plain data.

    Args:
        facts: what the card says.
        rows: the bytes of ``samples.csv``; empty where rows are not listed.
    """
    task, about, real = facts.task, facts.about, facts.real
    name = f"{task.name}-{real.name}" if real else f"{task.name}-{task.probe.name}"
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": f"{real.title if real else task.title}. {task.question}",
        "version": f"{task.version}.0.0",
        "license": licence_url(real.licence if real else task.licence),
        "url": f"{_SITE}/tasks/{task.name}",
        "creator": {"@type": "sc:Organization", "name": "Equilux", "url": _SITE},
        "citeAs": f"Equilux, task {task.name}, version {task.version}, {_SITE}",
        "isLiveDataset": False,
        **({"distribution": [_file(rows)]} if rows else {}),
        "recordSet": [_groups(facts.counts), *([_samples(facts, rows)] if rows else [])],
        **_responsible(facts),
    }
    if about:
        document["datePublished"] = about.published.isoformat()
        document["keywords"] = [*about.keywords, "fairness", "image enhancement"]
    return document


def licence_url(licence: str) -> str:
    """The page of an SPDX identifier; other texts as they are."""
    plain = licence.strip()
    known = plain and " " not in plain and not plain.startswith(("LicenseRef", "http"))
    return f"{_SPDX}{plain}.html" if known else plain


def _file(rows: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _FILE,
        "name": _FILE,
        "description": "One row per picture of the test split; pictures are rendered from it.",
        "contentUrl": _FILE,
        "encodingFormat": "text/csv",
        "contentSize": f"{len(rows)} B",
        "sha256": hashlib.sha256(rows).hexdigest(),
    }


def _samples(facts: Facts, rows: bytes) -> dict[str, Any]:
    words = {
        "sample": "Unique name of the picture.",
        "cluster": f"The independent unit: one of the {facts.about.unit}." if facts.about else "",
        "view": "Number of the view; twins in other groups share it.",
        "label": "The right answer of a recogniser.",
    }
    columns = rows.split(b"\n", 1)[0].decode().split(",")
    fields = []
    for column in columns:
        axis = facts.axes.get(column)
        title = axis.title or column if axis else ""
        said = f"{title}, said by {SOURCES[axis.source]}." if axis else words.get(column, column)
        fields.append(
            {
                "@type": "cr:Field",
                "@id": f"samples/{column}",
                "name": column,
                "description": said,
                "dataType": "sc:Integer" if column == "view" else "sc:Text",
                "source": {"fileObject": {"@id": _FILE}, "extract": {"column": column}},
            }
        )
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "The pictures of the test split.",
        "key": {"@id": "samples/sample"},
        "field": fields,
    }


def _groups(counts: tuple[GroupCount, ...]) -> dict[str, Any]:
    """The groups with their sizes, inside the file."""
    columns = {
        "axis": ("sc:Text", "What people or pictures are told apart by."),
        "role": ("sc:Text", "sensitive, context or control."),
        "source": ("sc:Text", "Who says which group a picture is of."),
        "group": ("sc:Text", "The level."),
        "subjects": ("sc:Integer", "Independent units in it."),
        "images": ("sc:Integer", "Pictures in it."),
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "groups",
        "name": "groups",
        "description": "Every group and how many are in it.",
        "key": [{"@id": "groups/axis"}, {"@id": "groups/group"}],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"groups/{name}",
                "name": name,
                "description": words,
                "dataType": kind,
            }
            for name, (kind, words) in columns.items()
        ],
        "data": [{f"groups/{name}": getattr(count, name) for name in columns} for count in counts],
    }


def _responsible(facts: Facts) -> dict[str, Any]:
    """Who made and labelled the data, who may be harmed, and what not to conclude."""
    task, about, real = facts.task, facts.about, facts.real
    common: dict[str, Any] = {
        "rai:dataLimitations": (
            [*real.cautions(), *(f"Of the task and its probe: {limit}" for limit in task.limits)]
            if real
            else list(task.limits)
        ),
        "rai:dataAnnotationProtocol": [
            f"{axis.title or name}: {SOURCES[axis.source]}." for name, axis in facts.axes.items()
        ],
        "rai:machineAnnotationTools": [
            f"{axis.title or name}: a classifier"
            if axis.source == "predicted"
            else f"{axis.title or name}: a measurement of the picture"
            for name, axis in facts.axes.items()
            if axis.source in {"predicted", "measured"}
        ]
        or ["None: no label is a classifier's guess."],
    }
    if about is None:
        assert real is not None
        return common | {
            "rai:dataCollection": real.source,
            "rai:personalSensitiveInformation": [
                "The pictures may show real people. They stay where they are; this description "
                "holds counts alone."
            ],
            "rai:dataSocialImpact": "A gap found here is the enhancer's on these data. It is no "
            "statement about the people in them.",
        }
    return common | {
        "rai:dataCollection": about.collection,
        "rai:dataCollectionType": ["Computer generated"],
        "rai:dataPreprocessingProtocol": [about.degradation],
        "rai:annotationsPerItem": "one: " + about.labels,
        "rai:dataBiases": about.biases,
        "rai:dataUseCases": about.uses,
        "rai:dataSocialImpact": about.impact,
        "rai:personalSensitiveInformation": [about.personal],
        "rai:dataReleaseMaintenancePlan": about.maintenance,
    }
