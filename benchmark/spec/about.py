"""What a person has to say of a task's data that no command can find out: ``about.yaml``."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field

from benchmark.spec.yamlfile import Spec

Words = Annotated[str, Field(min_length=1)]


class AboutSpec(Spec):
    """``tasks/<name>/about.yaml``, format 1: the human half of the task's card."""

    format: Literal[1]
    published: Annotated[datetime.date, Field(description="Day of this version of the data.")]
    unit: Annotated[Words, Field(description="What a cluster is, in the plural: people, eyes.")]
    who: Annotated[Words, Field(description="Who or what is in the pictures.")]
    collection: Annotated[Words, Field(description="How the pictures came to be.")]
    labels: Annotated[Words, Field(description="Who said which group a picture is of.")]
    degradation: Annotated[Words, Field(description="How and why pictures are spoilt.")]
    judging: Annotated[Words, Field(description="Who judges, and why it may.")]
    biases: list[Words] = Field(min_length=1)
    uses: list[Words] = Field(min_length=1, description="What the data are good for.")
    impact: Words
    personal: Annotated[Words, Field(description="Personal and sensitive information in it.")]
    maintenance: Words
    keywords: list[Words] = []
