#!/usr/bin/env python3
"""Retrograd and the PyTorch peer on one host, with the same weights, latents, text and LoRA: one table, and whether both got the same loss.

    python benchmarks/peers/run.py --device cuda --compile
    python benchmarks/peers/run.py --device cpu --model golden/ci-sd/model --batch 1 --steps 4 --kept 2 --repeats 5

Run from the repository's root after `mvn -q -DskipTests package`. Without --model it makes one of Stable Diffusion 1.5's size with random weights. Exit code 1
when the losses or gradient norms of the first update differ by more than the precision allows.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# of the first update, relative: rounding of operands, and of the chain's 50 steps after it
TOLERANCE = {"f32": (1e-4, 1e-3), "bf16": (2e-2, 2e-1)}


def java(*args):
    home = os.environ.get("RETROGRAD_JAVA_HOME") or os.environ.get("JAVA_HOME")
    subprocess.run([str(pathlib.Path(home) / "bin" / "java") if home else "java", "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-jar", *map(str, args)],
                   check=True, stdout=subprocess.DEVNULL)


def row(name, ours, theirs):
    """One line of the table; memory is what each side's tensors take, on a CPU the peer's whole process."""
    def gib(figures):
        return f"{(figures.get('peak_bytes') or figures['peak_resident_bytes']) / 2**30:.3f}"

    return f"| {name} | {ours['seconds']:.4f} | {theirs['seconds']:.4f} | {theirs['seconds'] / ours['seconds']:.2f} | {gib(ours)} | {gib(theirs)} |"


def table(ours, peers):
    lines = []
    for title, theirs in peers.items():
        lines += [f"Beside {title}:", "", "| | ours, s | PyTorch, s | ratio | ours, GiB | PyTorch, GiB |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
        lines += [row(key.replace("_", " "), ours[key], theirs[key]) for key in ours if isinstance(ours[key], dict)]
        lines += ["", f"First update: loss {ours['update']['loss']:.6f} and {theirs['update']['loss']:.6f}, gradient norm {ours['update']['gradient_norm']:.6f} and {theirs['update']['gradient_norm']:.6f}.", ""]
    return "\n".join(lines)


def disagreements(ours, peers, dtype):
    found = []
    for title, theirs in peers.items():
        for key, tolerance in zip(("loss", "gradient_norm"), TOLERANCE[dtype]):
            a, b = ours["update"][key], theirs["update"][key]
            if not abs(a - b) <= tolerance * max(abs(a), abs(b)):
                found.append(f"run.py: {key} of {title} must be ours to {tolerance:g}, got {b} beside {a}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--model", type=pathlib.Path, help="diffusers folder with a text encoder")
    parser.add_argument("--compile", action="store_true", help="measure the peer under torch.compile as well")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--kept", type=int, help="K; default: all steps")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("peers"), help="folder for JSON, what both start from, and the random model")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    model = args.model or args.output / "sd15-random"
    if not model.exists():
        java(ROOT / "trainer/target/trainer.jar", "make-random-model", "--output", model)
    dtype = "f32" if args.device == "cpu" else "bf16"
    sizes = ["--steps", args.steps, "--kept", args.kept or args.steps, "--images", args.images, "--repeats", args.repeats]
    java(ROOT / "benchmarks/target/benchmarks.jar", "measure", "--model", model, "--device", args.device, "--start", args.output, "--json", args.output / "ours.json",
         "--batch", ",".join(map(str, args.batch)), *sizes)
    peers = {}
    for title, flags in [("PyTorch", [])] + ([("PyTorch, compiled", ["--compile"])] if args.compile else []):
        json_file = args.output / f"peer{'-compiled' if flags else ''}.json"
        subprocess.run([sys.executable, str(ROOT / "benchmarks/peers/peer.py"), "--model", model, "--device", args.device, "--dtype", dtype, "--start", args.output, "--json", json_file,
                        "--batch", *map(str, args.batch), *map(str, sizes), *flags], check=True, stdout=subprocess.DEVNULL)
        peers[title] = json.loads(json_file.read_text())
    ours = json.loads((args.output / "ours.json").read_text())
    print(table(ours, peers))
    wrong = disagreements(ours, peers, dtype)
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
