"""`digress sample`: graphs, drawn here."""

from app.commands.console import CommandError, require
from app.commands.environment import settings_on
from app.commands.options import (
    CandidatesOption,
    DeviceOption,
    EstimatorOption,
    FilterOption,
    GraphsOption,
    GuidanceScaleOption,
    ModelArgument,
    NumGraphsOption,
    SamplerOption,
    SeedOption,
    SizeOption,
    StepsOption,
    TargetOption,
)
from app.commands.progress import progress_bar
from app.commands.requests import complete_request, given_fields


def sample(
    model: ModelArgument,
    num_graphs: NumGraphsOption = None,
    seed: SeedOption = None,
    num_nodes: SizeOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    target: TargetOption = None,
    guidance_scale: GuidanceScaleOption = None,
    estimator: EstimatorOption = None,
    candidates: CandidatesOption = None,
    wanted: FilterOption = None,
    out: GraphsOption = None,
    device: DeviceOption = None,
) -> None:
    """Draw graphs here, without a server: the same as `digress generate` has one draw.

    Exit status: 0 all graphs are there, 1 an error, 2 wrong usage, 4 fewer graphs than asked for (--filter),
    130 interrupted.

    Examples:
        digress sample qm9 -n 100 --seed 7 --num-nodes 5-9 --out molecules.jsonl
        digress sample qm9 -n 100 --filter valid --filter unique --out molecules.smi
        digress sample qm9 -n 16 --target mu=2.5 --target homo=-6.2 --candidates 4
        digress sample planar | head -1
    """
    require("torch", "worker")
    import torch

    from app.commands.graph_files import conclude, form_of, graphs_file, require_form
    from app.pictures.formats import Format, serialize
    from models.card.folder import read_card
    from worker.engine import Engine, EngineStopped, TooLarge
    from worker.selection import Selection, collect
    from worker.store import ModelStore, choose_device

    settings = settings_on(device)
    fields = given_fields(
        num_graphs=num_graphs,
        seed=seed,
        num_nodes=num_nodes,
        num_steps=num_steps,
        sampler=sampler,
        target=target,
        guidance_scale=guidance_scale,
        estimator=estimator,
        candidates=candidates,
        wanted=wanted,
    )
    request = complete_request(model, **fields)
    form = form_of(out)
    require_form(form, model, read_card(settings.checkpoints / model).domain)
    torch.set_flush_denormal(True)
    selection = Selection(request.filter)
    store = ModelStore(settings.checkpoints, choose_device(settings.device))
    try:
        with Engine(store) as engine, progress_bar("sampling", request.num_graphs) as on_progress:
            left = collect(engine.submit(request), selection, store.model(request.model).card, on_progress)
    except (TooLarge, EngineStopped) as error:
        raise CommandError(str(error)) from error
    graphs = [selection.kept[index] for index in sorted(selection.kept)]
    written = [graph for graph in graphs if form is not Format.SMILES or graph.graph["valid"]]
    with graphs_file(out) as file:
        file.writelines(serialize(graph, form).encode() for graph in written)
    conclude(form, num_invalid=len(graphs) - len(written), num_short=len(left))
