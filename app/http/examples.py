"""The examples of /openapi.json: one job, from the request to its graph in every format.

They are real answers of `qm9`; `tests/integration/test_examples.py` repeats the requests. Routes refer to them by name
(`app.http.openapi.example`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from app.schemas import (
    CompletedRequest,
    Frame,
    Graph,
    GraphPage,
    Health,
    Job,
    JobLinks,
    JobPage,
    JobProgress,
    JobStatus,
    JobSummary,
    Part,
    PartNode,
    Trajectory,
)
from models.card.card import ModelCard
from models.card.config import DiffusionConfig, FeatureConfig, NetworkConfig, SamplingConfig

JOB_ID = "01a215659011d9850bc07ede0bcc0623"
WEBHOOK_SECRET = "whsec_bm90IGEgc2VjcmV0LCBhbiBleGFtcGxlIG9mIG9uZSE="
WEBHOOK_SIGNATURE = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
IDEMPOTENCY_KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
_HERE = f"/jobs/{JOB_ID}"
_BEGIN = datetime(2026, 11, 26, 1, 8, 27, tzinfo=UTC)
_END = _BEGIN + timedelta(seconds=1.2)
_SUMMARY = JobSummary(num_graphs=1, drawn=1, valid=1, valid_and_connected=1, unique=1, seconds=1.136)
_BOND = {"source": 0, "target": 1, "type": "single"}

_graph = Graph(
    graph={"model": "qm9", "seed": 6457929588067868, "smiles": "CC", "valid": True},
    nodes=[{"id": number, "type": "C", "element": "C", "charge": 0} for number in (0, 1)],
    edges=[_BOND],
)
_carbons = [{"id": number, "type": "C"} for number in (0, 1)]
_trajectory = Trajectory(
    frames=[Frame(step=0, t=500, nodes=_carbons, edges=[]), Frame(step=50, t=0, nodes=_carbons, edges=[_BOND])]
)
_queued = Job(
    id=JOB_ID,
    status=JobStatus.QUEUED,
    model="qm9",
    kind="unconditional",
    created_at=_BEGIN,
    started_at=None,
    finished_at=None,
    expires_at=None,
    request=CompletedRequest(
        model="qm9", num_graphs=1, num_nodes=2, seed=7, sampler="mixed", num_steps=50, keep_frames=2
    ),
    progress=JobProgress(fraction=0, graphs_done=0, num_graphs=1, position=0, eta_seconds=1.1),
    summary=None,
    error=None,
    graphs=None,
    links=JobLinks(self=_HERE, events=f"{_HERE}/events", graphs=f"{_HERE}/graphs", model="/models/qm9"),
)
_ended = _queued.model_copy(
    update={
        "status": JobStatus.SUCCEEDED,
        "started_at": _BEGIN + timedelta(seconds=0.1),
        "finished_at": _END,
        "expires_at": _END + timedelta(days=1),
        "progress": JobProgress(fraction=1, graphs_done=1, num_graphs=1),
        "summary": _SUMMARY,
    }
)
_running = _queued.model_copy(
    update={
        "status": JobStatus.RUNNING,
        "started_at": _ended.started_at,
        "progress": JobProgress(fraction=0.44, graphs_done=0, num_graphs=1, eta_seconds=0.6),
    }
)
_canceled = _queued.model_copy(
    update={
        "status": JobStatus.CANCELED,
        "finished_at": _END,
        "expires_at": _ended.expires_at,
        "progress": JobProgress(fraction=0, graphs_done=0, num_graphs=1),
    }
)

_EVENTS = f"""\
event: status
data: {{"status": "queued"}}
id: 1795655307282-0

event: status
data: {{"status": "running"}}
id: 1795655307293-0

event: progress
data: {{"fraction": 0.44, "graphs_done": 0}}
id: 1795655307804-0

event: succeeded
data: {_SUMMARY.model_dump_json()}
id: 1795655308433-0

"""
_GRAPHML = """\
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
  <key id="d7" for="edge" attr.name="type" attr.type="string" />
  <key id="d6" for="node" attr.name="charge" attr.type="long" />
  <key id="d5" for="node" attr.name="element" attr.type="string" />
  <key id="d4" for="node" attr.name="type" attr.type="string" />
  <key id="d3" for="graph" attr.name="valid" attr.type="boolean" />
  <key id="d2" for="graph" attr.name="smiles" attr.type="string" />
  <key id="d1" for="graph" attr.name="seed" attr.type="long" />
  <key id="d0" for="graph" attr.name="model" attr.type="string" />
  <graph edgedefault="undirected">
    <node id="0">
      <data key="d4">C</data>
      <data key="d5">C</data>
      <data key="d6">0</data>
    </node>
    <node id="1">
      <data key="d4">C</data>
      <data key="d5">C</data>
      <data key="d6">0</data>
    </node>
    <edge source="0" target="1">
      <data key="d7">single</data>
    </edge>
    <data key="d0">qm9</data>
    <data key="d1">6457929588067868</data>
    <data key="d2">CC</data>
    <data key="d3">True</data>
  </graph>
</graphml>
"""
_SDF = """\

     RDKit          2D

  2  1  0  0  0  0  0  0  0  0999 V2000
   -0.7500    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.7500   -0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
M  END
>  <model>
qm9

>  <seed>
6457929588067868

>  <smiles>
CC

>  <valid>
True

$$$$
"""
_SVG = """\
<?xml version='1.0' encoding='iso-8859-1'?>
<svg version='1.1' baseProfile='full'
              xmlns='http://www.w3.org/2000/svg'
                      xmlns:rdkit='http://www.rdkit.org/xml'
                      xmlns:xlink='http://www.w3.org/1999/xlink'
                  xml:space='preserve'
width='480px' height='480px' viewBox='0 0 480 480'>
<!-- END OF HEADER -->
<rect style='opacity:1.0;fill:#FFFFFF;stroke:none' width='480.0' height='480.0' x='0.0' y='0.0'> </rect>
<path class='bond-0 atom-0 atom-1' d='M 182.3,239.9 L 297.5,239.9' style='fill:none;fill-rule:evenodd;stroke:#000000;stroke-width:2.0px;stroke-linecap:butt;stroke-linejoin:miter;stroke-opacity:1' />
</svg>
"""
_FILM = """\
<svg xmlns="http://www.w3.org/2000/svg" width="480" height="480" viewBox="0 0 480 480" role="img">
<title>qm9, nodes 2, edges 1</title>
<rect width="480" height="480" fill="#ffffff"/>
<g class="frame" data-step="0" data-t="500" visibility="hidden">
<animate attributeName="visibility" calcMode="discrete" dur="1.72s" repeatCount="indefinite" keyTimes="0.00000;0.06977" values="visible;hidden"/>
<circle cx="139.2" cy="228.0" r="20.0" fill="#5b646e" stroke="#ffffff"/>
<text x="139.2" y="235.0" font-size="20.0" font-family="system-ui, sans-serif" fill="#ffffff" text-anchor="middle">C</text>
<circle cx="340.8" cy="228.0" r="20.0" fill="#5b646e" stroke="#ffffff"/>
<text x="340.8" y="235.0" font-size="20.0" font-family="system-ui, sans-serif" fill="#ffffff" text-anchor="middle">C</text>
<circle cx="232.0" cy="468.0" r="5.0" fill="#5b646e"/>
<text x="242.0" y="472.6" font-size="13.0" font-family="system-ui, sans-serif" fill="#1f2328" text-anchor="start">C</text>
<text x="436.0" y="18.6" font-size="13.0" font-family="system-ui, sans-serif" fill="#1f2328" text-anchor="middle">t = 500</text>
</g>
<g class="frame" data-step="50" data-t="0" visibility="visible">
<animate attributeName="visibility" calcMode="discrete" dur="1.72s" repeatCount="indefinite" keyTimes="0.00000;0.06977" values="hidden;visible"/>
<path d="M139.2 228.0L340.8 228.0" stroke="#838c96" stroke-width="2.00" fill="none"/>
<circle cx="139.2" cy="228.0" r="20.0" fill="#5b646e" stroke="#ffffff"/>
<text x="139.2" y="235.0" font-size="20.0" font-family="system-ui, sans-serif" fill="#ffffff" text-anchor="middle">C</text>
<circle cx="340.8" cy="228.0" r="20.0" fill="#5b646e" stroke="#ffffff"/>
<text x="340.8" y="235.0" font-size="20.0" font-family="system-ui, sans-serif" fill="#ffffff" text-anchor="middle">C</text>
<circle cx="232.0" cy="468.0" r="5.0" fill="#5b646e"/>
<text x="242.0" y="472.6" font-size="13.0" font-family="system-ui, sans-serif" fill="#1f2328" text-anchor="start">C</text>
<text x="436.0" y="18.6" font-size="13.0" font-family="system-ui, sans-serif" fill="#1f2328" text-anchor="middle">t = 0</text>
</g>
</svg>
"""
_PART_SVG = """\
<?xml version='1.0' encoding='iso-8859-1'?>
<svg version='1.1' baseProfile='full'
              xmlns='http://www.w3.org/2000/svg'
                      xmlns:rdkit='http://www.rdkit.org/xml'
                      xmlns:xlink='http://www.w3.org/1999/xlink'
                  xml:space='preserve'
width='320px' height='320px' viewBox='0 0 320 320'>
<!-- END OF HEADER -->
<rect style='opacity:1.0;fill:#FFFFFF;stroke:none' width='320.0' height='320.0' x='0.0' y='0.0'> </rect>
<ellipse cx='128.9' cy='159.6' rx='15.4' ry='15.4' class='atom-0'  style='fill:#F0E442;fill-rule:evenodd;stroke:#F0E442;stroke-width:1.0px;stroke-linecap:butt;stroke-linejoin:miter;stroke-opacity:1' />
<path class='bond-0 atom-0 atom-1' d='M 128.9,159.6 L 205.7,159.6' style='fill:none;fill-rule:evenodd;stroke:#000000;stroke-width:2.0px;stroke-linecap:butt;stroke-linejoin:miter;stroke-opacity:1' />
<ellipse cx='128.9' cy='159.6' rx='14.4' ry='14.4'  style='fill:none;stroke:#1F2328;stroke-width:2.0px;stroke-linecap:butt;stroke-linejoin:miter;stroke-opacity:1' />
</svg>
"""
# The first bytes of every PNG file, as JSON can hold them.
_PNG = "\x89PNG\r\n\x1a\n"
_METRICS = """\
# HELP digress_queue_jobs Jobs that wait.
# TYPE digress_queue_jobs gauge
digress_queue_jobs 3.0
"""
_card = ModelCard(
    name="planar",
    version="1.1.0",
    description="Planar graphs of 64 nodes: Delaunay triangulations of random points.",
    licence="MIT",
    domain="graph",
    node_types=["node"],
    edge_types=["none", "edge"],
    node_marginals=[1.0],
    edge_marginals=[0.912, 0.088],
    size_distribution={64: 1.0},
    max_nodes=64,
    diffusion=DiffusionConfig(num_timesteps=1000, min_timestep=25),
    features=FeatureConfig(random_walk_powers=12),
    network=NetworkConfig(num_layers=5, triangle_width=32),
    sampling=SamplingConfig(sampler="mixed", num_steps=200),
)
_part = Part(
    smiles="*C",
    graph=None,
    problem=None,
    nodes=[
        PartNode(type="C", x=128.9, y=159.6, kept=True, open=True, can_open=True),
        PartNode(type="C", x=205.7, y=159.6, kept=False, open=False, can_open=False),
    ],
    svg=_PART_SVG,
)
_EXAMPLES: dict[str, BaseModel | list[BaseModel] | dict[str, str] | str] = {
    "queued": _queued,
    "running": _running,
    "succeeded": _ended.model_copy(update={"graphs": [_graph]}),
    "canceled": _canceled,
    "jobs": JobPage(jobs=[_ended], next=None),
    "events": _EVENTS,
    "graphs": GraphPage(graphs=[_graph], next=None),
    "graph": _graph,
    "ndjson": _graph.model_dump_json() + "\n",
    "graphml": _GRAPHML,
    "smiles": "CC\n",
    "csv": "smiles,model,seed,valid\nCC,qm9,6457929588067868,True\n",
    "sdf": _SDF,
    "svg": _SVG,
    "png": _PNG,
    "film": _FILM,
    "plot": _PNG,
    "trajectory": _trajectory,
    "part": _part,
    "model": _card,
    "models": [_card],
    "alive": Health(status="ok"),
    "ready": Health(status="ok", redis=True, workers=1),
    "webhook_secret": {"secret": WEBHOOK_SECRET},
    "no_worker": Health(status="unavailable", redis=True, workers=0),
    "metrics": _METRICS,
}


def named_examples() -> dict[str, Any]:
    """All examples by name, in the wire format."""
    return {name: to_jsonable_python(value) for name, value in _EXAMPLES.items()}
