"""What the folds of a model share, made once before several processes begin them at once."""

from __future__ import annotations

from competition.common.interrupts import heeded
from competition.workspace import Workspace
from models.backend.load import load_backend
from models.inputs.fill_banks import fill_banks
from models.runs.model_recipe import ModelRequest
from models.train.job import Job
from models.train.train_folds import jobs_of


def prepare_folds(workspace: Workspace, request: ModelRequest, **options: bool) -> None:
    """Decode the chips of a model, and make the features that its folds learn from; train nothing.

    It binds the model to nothing: what it makes is found again by what it is made of.

    Args:
        workspace: chips, labels and runs.
        request: the model, and the values given by flags.
        options: those of `jobs_of`.

    Raises:
        UserError: if the network cannot be built, or its weights cannot be had.
    """
    for jobs in jobs_of(workspace, request, **options):
        if left := [job for job in jobs if not job.is_done()]:
            _prepare(left[0])


def _prepare(job: Job) -> None:
    load_backend()
    from models.inputs.sources import Sources
    from models.networks.build import build_network
    from models.train.stages import head_first

    recipe = job.recipe
    if recipe.on_bank:
        fill_banks(job.workspace, recipe, skip_broken=job.skip_broken, no_test=not job.with_test)
        return
    with heeded():
        sources = Sources(job.workspace, recipe, job.skip_broken)
        build_network(recipe, job.task, sources.inputs)  # first, as it is quickly seen whether its weights can be had
        sources.cache("train")
        for split in sources.unlabelled if job.with_test else ():
            sources.cache(split)
        if recipe.train == "finetune" and recipe.head_epochs:
            sources.bank_to_learn(("identity",), head_first(recipe))
