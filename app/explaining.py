"""Explanations asked for by pages and by the player: one job for one question, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app.context import AppContext
from app.jobs import Job
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError

if TYPE_CHECKING:
    from mravff_core.analysis.explain_run import Explanation, Question

KIND = "explain"
NO_LOGIT = "An action scores as its verb times its noun: explain those."


def job_name(app: AppContext, question: Question) -> str:
    """Equal for equal questions to the same weights. Raises: WorkspaceError for an unknown run."""
    folder = app.workspace.run(question.run).folder
    written = [
        path.stat().st_mtime_ns for path in (folder / "config.yaml", folder / "model.safetensors") if path.is_file()
    ]
    return f"explain {question} {written}"


def work(app: AppContext, question: Question) -> Callable[[Job], Explanation]:
    """What the job does."""

    def explain(job: Job) -> Explanation:
        from mravff_core.analysis.attribution import Options
        from mravff_core.analysis.explain_run import explain_detection

        job.report(0.0, "Loading the detector")
        return explain_detection(
            app.workspace,
            question,
            detector=app.detectors.get(question.run),
            # Detectors leave a core to the pages, which wait for this very answer.
            options=Options(side_by_side=True),
            progress=lambda share: job.report(share, "Asking the detector"),
            cancel=lambda: job.cancelled,
        )

    return explain


def begin(app: AppContext, question: Question) -> Job:
    """Have a detection explained, if it is not under way."""
    return app.jobs.submit(KIND, job_name(app, question), "Explaining", work(app, question))


def known(app: AppContext, question: Question) -> Explanation | None:
    """The explanation if there is one; nothing is computed.

    Raises: WorkspaceError if there is no such detection; ConfigError for an unknown quantity or baseline.
    """
    from mravff_core.analysis.explain_run import known_explanation

    return known_explanation(app.workspace, question, detector=lambda: app.detectors.get(question.run))


def question_of(clip_id: str, query: Mapping[str, str]) -> Question:
    """A question as an address asks it: `run`, `n`, `audio`, `labels`, `what`, `sound`, `sight`.

    Raises: ConfigError where a part makes no sense.
    """
    from mravff_core.analysis.explain_run import Question

    number = query.get("n", "")
    if not number.isdecimal() or len(number) > 6:
        raise ConfigError(f"detection {number!r} is no number of a detection; expected 0 for the best, 1, …")
    names = {"quantity": "what", "audio_baseline": "sound", "vision_baseline": "sight"}
    given: dict[str, Any] = {field: query[name] for field, name in names.items() if query.get(name)}
    return Question(
        run=query.get("run", ""),
        clip=clip_id,
        detection=int(number),
        label_set=query.get("labels") or None,
        audio=AudioCondition.parse(query.get("audio", "on")),
        **given,
    )
