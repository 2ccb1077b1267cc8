#!/usr/bin/env python3
"""Stable Diffusion 1.5 and AlignProp in plain PyTorch, measured: what Retrograd is compared with.

    python peer.py --model DIR [--device cuda] [--dtype bf16] [--batch 1 8] [--steps 50] [--kept 50] [--compile] [--json FILE]
    python peer.py --check golden/ci-sd

DIR is a diffusers folder, for example one that `retrograd make-random-model` wrote, so that both sides have the same weights. Figures are medians of wall
clock seconds, the device synchronised, and the peak of allocated memory. An update is the whole of it: the guided DDIM chain, its last K steps checkpointed
and differentiated, the decoder, the mean of red as reward, clipping to norm 1, AdamW on LoRA of rank 4 of the attention projections. Text embeddings are
random: the text encoder is not measured.
"""

import argparse
import json
import pathlib
import platform
import statistics
import sys
import time

import torch
import torch.utils.checkpoint

import model
import safetensors_file

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "f32": torch.float32}
TOKENS = 77


class Ddim:
    """Coefficients of eta 0: x_next = of_x * x + of_eps * eps. Source: arXiv 2010.02502, eq. 12."""

    def __init__(self, folder, steps):
        config = json.loads((pathlib.Path(folder) / "scheduler" / "scheduler_config.json").read_text())
        count = config["num_train_timesteps"]
        betas = torch.linspace(config["beta_start"] ** 0.5, config["beta_end"] ** 0.5, count, dtype=torch.float64) ** 2
        alphas = torch.cumprod(1 - betas, 0)
        ratio = count // steps
        self.timesteps = [i * ratio + config.get("steps_offset", 0) for i in reversed(range(steps))]
        self.coefficients = []
        for t in self.timesteps:
            now = alphas[t]
            before = alphas[t - ratio] if t >= ratio else alphas[0]
            of_x = (before / now).sqrt()
            self.coefficients.append((of_x.item(), ((1 - before).sqrt() - of_x * (1 - now).sqrt()).item()))


class Peer:
    def __init__(self, args):
        self.args = args
        self.device = torch.device(args.device)
        self.dtype = DTYPES[args.dtype]
        layout = {"device": self.device, "dtype": self.dtype, "memory_format": torch.channels_last}
        self.unet = model.load_unet(args.model).to(**layout)
        self.vae = model.load_vae(args.model).to(**layout)
        self.trainable = self.unet.attach_lora()
        if args.start:
            self.unet.load_lora(pathlib.Path(args.start) / "pytorch_lora_weights.safetensors")
        self.predict = torch.compile(self.unet) if args.compile else self.unet
        config = json.loads((pathlib.Path(args.model) / "unet" / "config.json").read_text())
        self.latent = args.latent or config["sample_size"]
        self.width = config["cross_attention_dim"]
        self.generator = torch.Generator().manual_seed(0)

    def randn(self, *shape):
        t = torch.randn(*shape, generator=self.generator).to(self.device, self.dtype)
        return t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def timed(self, run, repeats):
        """Median and spread of seconds, and bytes at most allocated on the device."""
        run()
        run()
        self.synchronize()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            run()
            self.synchronize()
            seconds.append(time.perf_counter() - start)
        figures = {"seconds": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds)}
        if self.device.type == "cuda":
            figures["peak_bytes"] = torch.cuda.max_memory_allocated()
            figures["reserved_bytes"] = torch.cuda.max_memory_reserved()
        else:
            import resource
            figures["peak_resident_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return figures

    def forward(self, batch):
        x, context = self.randn(batch, 4, self.latent, self.latent), self.randn(batch, TOKENS, self.width)
        t = torch.full((batch,), 501, device=self.device)

        def run():
            with torch.no_grad():
                self.predict(x, t, context)

        return self.timed(run, self.args.repeats)

    def forward_backward(self, batch):
        """The gradients of the latent and of all low-rank matrices."""
        x, context = self.randn(batch, 4, self.latent, self.latent).requires_grad_(), self.randn(batch, TOKENS, self.width)
        t = torch.full((batch,), 501, device=self.device)
        dy = torch.ones_like(x)

        def run():
            torch.autograd.grad(self.predict(x, t, context), [x, *self.trainable], dy)

        return self.timed(run, self.args.repeats)

    def update(self, images):
        args = self.args
        schedule = Ddim(args.model, args.steps)
        optimizer = torch.optim.AdamW(self.trainable, lr=1e-3, weight_decay=1e-4)
        if args.start:
            given = safetensors_file.load(pathlib.Path(args.start) / "start.safetensors")
            start, context = given["latents"].to(self.device), given["context"].to(self.device, self.dtype)
        else:
            start = self.randn(images, 4, self.latent, self.latent).float()
            context = self.randn(2 * images, TOKENS, self.width)
        first = {}

        def eps(x, t):
            both = self.predict(torch.cat([x, x]).to(self.dtype), torch.full((2 * images,), t, device=self.device), context)
            uncond, text = both.float().chunk(2)
            return uncond + args.guidance * (text - uncond)

        def run():
            x = start
            for i, (t, (of_x, of_eps)) in enumerate(zip(schedule.timesteps, schedule.coefficients)):
                if i < args.steps - args.kept:
                    with torch.no_grad():
                        e = eps(x, t)
                else:
                    e = torch.utils.checkpoint.checkpoint(eps, x, t, use_reentrant=False)
                x = of_x * x + of_eps * e
            latent = (x / self.vae.scaling_factor).to(self.dtype)
            image = torch.utils.checkpoint.checkpoint(self.vae, latent, use_reentrant=False).float()
            loss = -(image / 2 + 0.5).clamp(0, 1)[:, 0].mean()
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.trainable, 1.0)
            optimizer.step()
            if not first:
                first.update(loss=loss.item(), gradient_norm=norm.item())

        figures = self.timed(run, max(1, self.args.repeats // 5))
        return {**first, **figures}


def check(folder):
    """Compares UNet and decoder, with the gradients of their inputs, with a folder of reference tensors; returns the number of disagreements."""
    folder = pathlib.Path(folder)
    checks = json.loads((folder / "checks.json").read_text())
    reference = safetensors_file.load(folder / checks["reference"])
    unet, vae = model.load_unet(folder / checks["model"]), model.load_vae(folder / checks["model"])
    failed = 0
    for one in checks["checks"]:
        inputs, expected = one["inputs"], one["expect"]
        if one["kind"] == "unet" and "encoder_hidden_states" in inputs and "lora" not in inputs:
            source = "sample"
            x = reference[inputs[source]].requires_grad_()
            context = reference[inputs["encoder_hidden_states"]].expand(len(x), -1, -1)
            got = unet(x, torch.tensor(one["timesteps"]).expand(len(x)), context)
        elif one["kind"] == "vae-decode":
            source = "z"
            x = reference[inputs[source]].requires_grad_()
            got = vae(x)
        else:
            continue
        results = {"out": got}
        if f"grad:{source}" in expected:
            (results[f"grad:{source}"],) = torch.autograd.grad(got, x, reference[inputs["loss_weight"]])
        for name, tensor in results.items():
            wanted = reference[expected[name]["tensor"]]
            error = ((tensor - wanted).norm() / wanted.norm()).item()
            good = error <= expected[name]["max_rel_l2"]
            failed += not good
            print(f"{one['kind']:12} {expected[name]['tensor']:34} {error:.2e} of {expected[name]['max_rel_l2']:.2e} {'ok' if good else 'FAIL'}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="diffusers folder")
    parser.add_argument("--check", metavar="FOLDER", help="compare with a folder of reference tensors, and measure nothing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--latent", type=int, help="rows and columns of the latent; default: the model's")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--kept", type=int, help="K, the differentiated steps; default: all")
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--start", metavar="DIR", help="latents, text and LoRA to start from, as `benchmarks.jar measure --start DIR` wrote them")
    parser.add_argument("--images", type=int, default=1, help="of an update")
    parser.add_argument("--compile", action="store_true", help="torch.compile the UNet")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    if args.check:
        sys.exit(1 if check(args.check) else 0)
    if not args.model:
        parser.error("--model: a diffusers folder is required")
    args.kept = args.steps if args.kept is None else args.kept
    if not 1 <= args.kept <= args.steps:
        parser.error(f"--kept: must be 1..{args.steps} (steps), got {args.kept}")
    peer = Peer(args)
    figures = {"torch": torch.__version__, "compiled": args.compile, "dtype": args.dtype, "latent": peer.latent, "steps": args.steps, "kept": args.kept,
               "device": torch.cuda.get_device_name() if peer.device.type == "cuda" else platform.processor() or "cpu", "threads": torch.get_num_threads()}
    for batch in args.batch:
        figures[f"unet_forward_batch_{batch}"] = peer.forward(batch)
        figures[f"unet_forward_backward_batch_{batch}"] = peer.forward_backward(batch)
    figures["update"] = peer.update(args.images)
    text = json.dumps(figures, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
