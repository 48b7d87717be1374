"""Decision Transformer: learn from logged episodes which action led to which return, then ask for a high one.

The baseline that offline reinforcement learning is measured by (Chen et al. 2021), in one file. In training,
a decision is shown with its return to go, the rewards that followed it in the log, and the network learns the
logged action by cross-entropy. To decide, it is shown a target less what has been spent so far, and takes the
likeliest action. Nothing in this tells skill from luck: an action that was followed by a high return in the
log is taken for one that brings it about (Paster, McIlraith and Ba 2022), and here every attempt has luck.

The network is the sequence network (sequence_network.py) that does not start from the index rule, with one
more number in the run's token.

    fqg dataset make --policy index --tiers 6-20 --episodes 6667 --out datasets/index-v0      # ... and others
    python -m training.datasets.decision_transformer --dataset datasets/index-v0 --out runs/transformer

Letters in shapes: N batch, C calls, R fields of the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

try:
    import torch
    from minari import MinariDataset
except ImportError:
    raise SystemExit(
        "fqg: this needs the extras train and datasets; install with: "
        'pip install "fqg-conductor[train,datasets]"'
    ) from None
from torch import Tensor, nn

from fqg_env.fields import RUN_FIELDS, Run
from policies.recovery.base import Decision, Observation
from policies.recovery.features import network_inputs
from policies.recovery.network import masked_softmax
from policies.recovery.registry import policy_named
from training.datasets.about import describe_dataset
from training.datasets.reader import Decisions, open_datasets, read_decisions
from training.disk import NotWritten, writing
from training.judging.episodes import joined, play
from training.judging.setting import Setting, deal
from training.judging.stats import mean_ci95
from training.learning.out_folder import check_writable
from training.learning.pointer_network import Answer
from training.learning.sequence_network import SequenceNetwork
from training.learning.teacher import ILLEGAL
from training.pages.terminal_tables import figures_table
from training.terminal import JsonOption, RunSeedOption, bar, command, fail, print_json

BATCH, RATE = 256, 1e-3
JUDGED = Setting("validation", episodes=4096, tiers=(6, 20))
"""Levels that no dataset of the split `train` holds."""
CHUNK = 512
WEIGHTS_FILE, RESULT_FILE = "weights.npz", "result.json"


class DecisionTransformer(SequenceNetwork):
    """The sequence network, told what return is still to come.

    Args:
        hidden: width of a token.
        layers: of attention.
        blind: it does not see the return: then it clones what was logged.
    """

    def __init__(self, hidden: int = 48, layers: int = 2, blind: bool = False):
        super().__init__(hidden, layers, trust=0.0)
        self.blind = blind
        # the token of the run, which every call's token holds, has one more number
        self.trunk.set_submodule("tokens.run", nn.Linear(RUN_FIELDS + 1 + 2, hidden))

    def told(self, inputs: Sequence[Tensor], return_to_go: Tensor) -> Answer:
        """The answer to inputs in the order of `inputs`, where this return [N] is to come."""
        x, run = list(inputs), self.inputs.index("run")
        seen = return_to_go.to(x[run]) * (0.0 if self.blind else 1.0)
        x[run] = torch.cat([x[run], seen.unsqueeze(1)], 1)
        return self.read(x)


def loss_of(network: DecisionTransformer, batch: Decisions) -> Tensor:
    """The mean surprise at the logged actions, among the legal ones; of an illegal one nothing is learned."""
    return_to_go = torch.as_tensor(batch.return_to_go)
    logits = network.told(network.tensors(batch.inputs), return_to_go).logits
    legal, action = torch.as_tensor(batch.mask) > 0, torch.as_tensor(batch.action)
    surprise = nn.functional.cross_entropy(
        logits.masked_fill(~legal, ILLEGAL), action, reduction="none"
    )
    learned = legal.gather(1, action.unsqueeze(1)).squeeze(1)
    loss: Tensor = surprise[learned].sum() / max(1, int(learned.sum()))
    return loss


def passes(datasets: Sequence[MinariDataset], random: np.random.Generator) -> Iterator[Decisions]:
    """The decisions of the datasets in batches, over and over, each time in another order."""
    while True:
        yield from read_decisions(datasets, DecisionTransformer.inputs, BATCH, random)


def train(
    datasets: Sequence[MinariDataset],
    steps: int,
    seed: int,
    blind: bool = False,
    progress: Any = lambda step, note: None,
) -> tuple[DecisionTransformer, float]:
    """A network that has learned from so many batches, and its mean loss over the last tenth of them."""
    torch.set_num_threads(1)  # at this size a second thread gains nothing
    torch.manual_seed(seed)
    network = DecisionTransformer(blind=blind)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    losses: list[float] = []
    for step, batch in zip(
        range(steps), passes(datasets, np.random.default_rng(seed)), strict=False
    ):
        optimizer.param_groups[0]["lr"] = RATE * (1.0 - step / steps)
        loss = loss_of(network, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        progress(step + 1, f"loss {losses[-1]:.3f}")
    return network.eval(), float(np.mean(losses[-max(1, steps // 10) :]))


def spent(run: np.ndarray) -> np.ndarray:
    """[N] what cost and time have taken of the return by now, from `run` [N, R]; goals pay at the end.

    What unsafe repeats took, no observation says: a hundredth of the episodes of `random` lose some so.
    """
    cost = run[:, Run.COST_WEIGHT] * (1.0 - run[:, Run.COST_LEFT])
    of_now: np.ndarray = cost + run[:, Run.TIME_WEIGHT] * (1.0 - run[:, Run.TIME_LEFT])
    return of_now


class Conditioned:
    """A policy: the network, asked for a return.

    Args:
        network: that has learned.
        target: the return of a whole episode that it is asked for.
    """

    name = "decision_transformer"

    def __init__(self, network: DecisionTransformer, target: float):
        self.network, self.target = network, target

    @torch.no_grad()
    def decide(self, observation: Observation, mask: np.ndarray) -> Decision:
        """The likeliest legal action, given that the rest of the target is still to come."""
        inputs = network_inputs(observation, mask, self.network.inputs)
        to_go = torch.as_tensor(self.target + spent(inputs["run"]))
        logits = self.network.told(self.network.tensors(inputs), to_go).logits
        probabilities = masked_softmax(logits.numpy(), mask)
        action = probabilities.argmax(1).astype(np.int64)
        return Decision(action, probabilities, np.full(len(mask), self.name, object))


def load(folder: Path, target: float) -> Conditioned:
    """The policy that `save` wrote to a folder, asked for a return."""
    network = DecisionTransformer(
        blind=json.loads((folder / RESULT_FILE).read_text("utf-8"))["blind"]
    )
    with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as arrays:
        network.load_state_dict({name: torch.as_tensor(arrays[name]) for name in arrays.files})
    return Conditioned(network.eval(), target)


def judged(policy: Any, setting: Setting) -> np.ndarray:
    """The episodes (see `episodes.EPISODE`) of a policy on a setting."""
    parts = [
        play(policy, deal(setting, first, min(CHUNK, setting.episodes - first)))
        for first in range(0, setting.episodes, CHUNK)
    ]
    return joined(parts).episodes


def figures(episodes: np.ndarray, beside: np.ndarray) -> dict[str, Any]:
    """What episodes came to, and level by level beside others on the same levels."""
    difference = episodes["return"] - beside["return"]
    return {
        "return_mean": float(episodes["return"].mean()),
        "over_index": float(difference.mean()),
        "over_index_ci95": list(mean_ci95(difference)),
        "success_rate": float(episodes["success"].mean()),
        "wrong_delivered_rate": float(episodes["wrong"].mean()),
        "attempts": float(episodes["attempts"].mean()),
    }


def numbers(text: str) -> list[float]:
    """`0.2,0.6` as numbers; leaves where one is none."""
    try:
        asked = [float(part) for part in text.split(",")]
    except ValueError:
        asked = []
    if not asked or not np.isfinite(asked).all():
        fail(f"--targets {text!r}: write returns separated by commas, as in 0.2,0.6,1")
    return asked


app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)


@app.command(
    epilog="Example: python -m training.datasets.decision_transformer --dataset datasets/a-v0 --out runs/dt"
)
@command
def main(
    dataset: Annotated[
        list[Path], typer.Option(help="Folder of `fqg dataset make`; give it again for each other.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the weights and the figures.")],
    steps: Annotated[int, typer.Option(min=1, help=f"Batches of {BATCH} decisions.")] = 900,
    targets: Annotated[
        str, typer.Option(help="Returns to ask for, separated by commas.")
    ] = "0,0.2,0.4,0.6,0.8,1",
    seed: RunSeedOption = 0,
    blind: Annotated[
        bool, typer.Option("--blind", help="Hide the returns: plain cloning, for comparison.")
    ] = False,
    episodes: Annotated[
        int, typer.Option(min=1, max=10**6, help="Validation levels, tiers 6 to 20, to judge on.")
    ] = JUDGED.episodes,
    as_json: JsonOption = False,
) -> None:
    """Learn from logged episodes by return conditioning, and judge it for each target beside `index`."""
    asked = numbers(targets)[: 1 if blind else None]
    check_writable(out)
    logs, about = open_datasets(dataset), [describe_dataset(folder) for folder in dataset]
    began = time.monotonic()
    with bar("learning", steps) as update:
        network, loss = train(logs, steps, seed, blind, update)
    elapsed_s = time.monotonic() - began
    setting = Setting(JUDGED.split, episodes, tiers=JUDGED.tiers, size=about[0]["size"])
    index = judged(policy_named("index"), setting)
    results = {}
    with bar("judging", len(asked)) as update:
        for done, target in enumerate(asked, 1):
            results[f"{target:g}"] = figures(judged(Conditioned(network, target), setting), index)
            update(done, f"target {target:g}")
    weight = [one["episodes"] for one in about]
    result = {
        "datasets": about,
        "data_return_mean": float(
            np.average([one["return_mean"] for one in about], weights=weight)
        ),
        "blind": blind,
        "steps": steps,
        "seed": seed,
        "elapsed_s": elapsed_s,
        "loss": loss,
        "episodes": episodes,
        "index": figures(index, index),
        "targets": results,
    }
    save(out, network, result)
    if as_json:
        print_json(result)
    else:
        show(result)


def save(out: Path, network: DecisionTransformer, result: dict[str, Any]) -> None:
    """Write the weights, as plain arrays, and the figures; leaves where there is no room."""
    try:
        with writing(out / WEIGHTS_FILE):
            np.savez(out / WEIGHTS_FILE, **{k: v.numpy() for k, v in network.state_dict().items()})
        with writing(out / RESULT_FILE):
            (out / RESULT_FILE).write_text(json.dumps(result, indent=2), "utf-8")
    except OSError as problem:
        fail(f"{NotWritten(problem, out)}, then run the same command again")


def show(result: dict[str, Any]) -> None:
    """Print the figures for people."""
    table = figures_table(
        f"Asked for a return, on {result['episodes']:,} validation levels of tiers 6 to 20",
        ("asked for", "return", "over index", "success", "wrong", "attempts"),
    )
    for name, f in (*result["targets"].items(), ("(index)", result["index"])):
        low, high = f["over_index_ci95"]
        table.add_row(
            "(cloning)" if result["blind"] and name != "(index)" else name,
            f"{f['return_mean']:.3f}",
            f"{f['over_index']:+.3f} [{low:+.3f}, {high:+.3f}]",
            f"{f['success_rate']:.1%}",
            f"{f['wrong_delivered_rate']:.1%}",
            f"{f['attempts']:.1f}",
        )
    table.caption = f"mean return of the logged episodes: {result['data_return_mean']:.3f}"
    Console(highlight=False).print(table)


if __name__ == "__main__":
    app()
