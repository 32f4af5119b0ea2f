"""`digress sample`: draw graphs on this machine."""

from app.commands.computing import local_models
from app.commands.console import require_extra
from app.commands.options import DeviceOption, GraphsOutOption, ModelArgument
from app.commands.progress import progress_bar
from app.commands.request_options import RequestOptions, complete_request


def sample(
    model: ModelArgument, *, options: RequestOptions, out: GraphsOutOption = None, device: DeviceOption = None
) -> None:
    """Draw graphs here, without a server; `digress generate` lets a server draw the same graphs.

    Exit status: 0 all graphs are there, 1 an error, 2 wrong usage, 4 fewer graphs than requested (--filter and others),
    130 interrupted.

    Examples:
        digress sample qm9 -n 100 --seed 7 --num-nodes 5-9 --out molecules.jsonl
        digress sample qm9 -n 100 --filter valid --filter unique --out molecules.smi
        digress sample qm9 -n 16 --target mu=2.5 --target homo=-6.2 --candidates 4
        digress sample qm9 -n 10 --keep 'c1ccccc1*' --where 'logp>1' --lacks '[OH]'
        digress sample planar | head -1
    """
    require_extra("worker", "torch")
    from app.commands.graph_files import format_of, open_graph_file, report_missing_graphs, require_format
    from app.pictures.formats import serialize_all
    from models.card.folder import read_card
    from worker.engine.engine import Engine
    from worker.engine.job import EngineStopped, TooLarge
    from worker.results.selection import collect, selection_for
    from worker.results.summary import explain_missing

    fields = options.request_fields()
    with local_models(device, TooLarge, EngineStopped) as local:
        request = complete_request(model, **fields)
        form = format_of(out)
        require_format(form, model, read_card(local.settings.checkpoints / model).domain)
        card = local.load(request.model).card
        selection = selection_for(request, card)
        with Engine(local.store) as engine, progress_bar("sampling", request.num_graphs) as on_progress:
            collect(engine.submit(request), selection, card, on_progress)
    graphs = [selection.kept[index] for index in sorted(selection.kept)]
    num_invalid = sum(graph.graph.get("valid") is False for graph in graphs)
    with open_graph_file(out) as file:
        file.write(serialize_all(graphs, form).encode())
    note = explain_missing(
        request, num_drawn=selection.num_drawn, refused=selection.refused, num_missing=selection.num_missing
    )
    report_missing_graphs(form, num_invalid=num_invalid, note=note)
