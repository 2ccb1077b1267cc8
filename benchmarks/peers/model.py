"""Stable Diffusion 1.x in plain torch: UNet, decoder of the autoencoder, LoRA. Modules are named as diffusers' files name their weights."""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

import safetensors_file


class LoraLinear(nn.Linear):
    """A frozen linear layer with a trainable low-rank update, y = x W' + b + (alpha / r) (x A') B'."""

    scale = 1.0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_parameter("lora_a", None)
        self.register_parameter("lora_b", None)

    def attach(self, rank, alpha, generator):
        a = torch.randn(rank, self.in_features, generator=generator) / rank
        self.lora_a = nn.Parameter(a.to(self.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(self.out_features, rank, device=self.weight.device))
        self.scale = alpha / rank

    def forward(self, x):
        y = super().forward(x)
        if self.lora_a is None:
            return y
        return y + self.scale * F.linear(F.linear(x, self.lora_a.to(x.dtype)), self.lora_b.to(x.dtype))


class Attention(nn.Module):
    def __init__(self, channels, heads, context_channels):
        super().__init__()
        self.heads = heads
        self.to_q = LoraLinear(channels, channels, bias=False)
        self.to_k = LoraLinear(context_channels, channels, bias=False)
        self.to_v = LoraLinear(context_channels, channels, bias=False)
        self.to_out = nn.ModuleList([LoraLinear(channels, channels)])

    def forward(self, x, context):
        def split(t):
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        y = F.scaled_dot_product_attention(split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        return self.to_out[0](y.transpose(1, 2).flatten(2))


class Projection(nn.Module):
    """The linear layer of a GEGLU, under the name that files give it."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.proj = LoraLinear(channels, 2 * hidden)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.ModuleList([Projection(channels, 4 * channels), nn.Identity(), LoraLinear(4 * channels, channels)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    def __init__(self, channels, heads, context_channels):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = Attention(channels, heads, channels)
        self.attn2 = Attention(channels, heads, context_channels)
        self.ff = FeedForward(channels)

    def forward(self, x, context):
        n = self.norm1(x)
        x = x + self.attn1(n, n)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, channels, heads, config):
        super().__init__()
        self.norm = nn.GroupNorm(config["norm_num_groups"], channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, heads, config["cross_attention_dim"])])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, context):
        h = self.proj_in(self.norm(x)).permute(0, 2, 3, 1)
        rows = h.flatten(1, 2)
        for block in self.transformer_blocks:
            rows = block(rows, context)
        return self.proj_out(rows.reshape(h.shape).permute(0, 3, 1, 2)) + x


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, time_channels, groups, eps):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=eps)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = LoraLinear(time_channels, outputs) if time_channels else None
        self.norm2 = nn.GroupNorm(groups, outputs, eps=eps)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x, time=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(time)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Resampler(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)

    def forward(self, x):
        return self.conv(x if self.stride == 2 else F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Block(nn.Module):
    """Residual blocks, each followed by a transformer where there are any, and a resampler."""

    def __init__(self, widths, outputs, heads, config, sampler=None):
        super().__init__()
        time_channels = 4 * config["block_out_channels"][0]
        self.resnets = nn.ModuleList([Resnet(w, outputs, time_channels, config["norm_num_groups"], config["norm_eps"]) for w in widths])
        self.attentions = nn.ModuleList([Transformer(outputs, heads, config) for _ in widths]) if heads else None
        if sampler == "down":
            self.downsamplers = nn.ModuleList([Resampler(outputs, 2)])
        elif sampler == "up":
            self.upsamplers = nn.ModuleList([Resampler(outputs, 1)])

    def layer(self, i, x, time, context):
        x = self.resnets[i](x, time)
        return x if self.attentions is None else self.attentions[i](x, context)


class MidBlock(nn.Module):
    def __init__(self, channels, heads, config):
        super().__init__()
        time_channels = 4 * config["block_out_channels"][0]
        self.resnets = nn.ModuleList([Resnet(channels, channels, time_channels, config["norm_num_groups"], config["norm_eps"]) for _ in range(2)])
        self.attentions = nn.ModuleList([Transformer(channels, heads, config)])

    def forward(self, x, time, context):
        return self.resnets[1](self.attentions[0](self.resnets[0](x, time), context), time)


class TimeEmbedding(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.linear_1 = LoraLinear(channels, 4 * channels)
        self.linear_2 = LoraLinear(4 * channels, 4 * channels)

    def forward(self, waves):
        return self.linear_2(F.silu(self.linear_1(waves)))


class UNet(nn.Module):
    """The noise predictor; config as in diffusers' unet/config.json of SD 1.x (`attention_head_dim` is the number of heads)."""

    def __init__(self, config):
        super().__init__()
        channels = config["block_out_channels"]
        layers = config["layers_per_block"]
        heads = config["attention_head_dim"]
        heads = heads if isinstance(heads, list) else [heads] * len(channels)
        crossed = [t.startswith("CrossAttn") for t in config["down_block_types"]]
        last = len(channels) - 1
        self.channels, self.layers = channels, layers
        self.time_embedding = TimeEmbedding(channels[0])
        self.conv_in = nn.Conv2d(config["in_channels"], channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for i, out in enumerate(channels):
            widths = [channels[max(i - 1, 0)]] + [out] * (layers - 1)
            self.down_blocks.append(Block(widths, out, heads[i] if crossed[i] else 0, config, "down" if i < last else None))
        self.mid_block = MidBlock(channels[-1], heads[-1], config)
        self.up_blocks = nn.ModuleList()
        for i in range(last, -1, -1):
            out, previous, outer = channels[i], channels[min(i + 1, last)], channels[max(i - 1, 0)]
            widths = [(previous if j == 0 else out) + (outer if j == layers else out) for j in range(layers + 1)]
            self.up_blocks.append(Block(widths, out, heads[i] if crossed[i] else 0, config, "up" if i > 0 else None))
        self.conv_norm_out = nn.GroupNorm(config["norm_num_groups"], channels[0], eps=config["norm_eps"])
        self.conv_out = nn.Conv2d(channels[0], config["out_channels"], 3, padding=1)

    def waves(self, timesteps, like):
        half = self.channels[0] // 2
        exponents = -math.log(10000) * torch.arange(half, device=like.device, dtype=torch.float32) / half
        angles = timesteps.float()[:, None] * torch.exp(exponents)
        return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1).to(like.dtype)

    def forward(self, x, timesteps, context):
        time = F.silu(self.time_embedding(self.waves(timesteps, x)))
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for i in range(self.layers):
                x = block.layer(i, x, time, context)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0](x)
                skips.append(x)
        x = self.mid_block(x, time, context)
        for block in self.up_blocks:
            for i in range(self.layers + 1):
                x = block.layer(i, torch.cat([x, skips.pop()], dim=1), time, context)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0](x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))

    def attach_lora(self, rank=4, alpha=4.0, seed=0):
        """Low-rank updates on the attention projections, the only trainable weights."""
        self.requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, Attention):
                for linear in (module.to_q, module.to_k, module.to_v, module.to_out[0]):
                    linear.attach(rank, alpha, generator)
        return [p for p in self.parameters() if p.requires_grad]

    def load_lora(self, path):
        """The matrices of a LoRA file in diffusers' naming, in the place of those that `attach_lora` made."""
        given = safetensors_file.load(path)
        with torch.no_grad():
            for name, module in self.named_modules():
                if isinstance(module, LoraLinear) and module.lora_a is not None:
                    module.lora_a.copy_(given[f"unet.{name}.lora_A.weight"])
                    module.lora_b.copy_(given[f"unet.{name}.lora_B.weight"])


class VaeAttention(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x):
        h = self.group_norm(x).permute(0, 2, 3, 1)
        rows = h.flatten(1, 2)[:, None]
        y = F.scaled_dot_product_attention(self.to_q(rows), self.to_k(rows), self.to_v(rows))
        return self.to_out[0](y)[:, 0].reshape(h.shape).permute(0, 3, 1, 2) + x


class VaeLevel(nn.Module):
    def __init__(self, inputs, outputs, count, groups, upsampled):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(inputs if j == 0 else outputs, outputs, None, groups, 1e-6) for j in range(count)])
        self.upsamplers = nn.ModuleList([Resampler(outputs, 1)]) if upsampled else None

    def forward(self, x):
        for resnet in self.resnets:
            x = resnet(x)
        return x if self.upsamplers is None else self.upsamplers[0](x)


class VaeMid(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(channels, channels, None, groups, 1e-6) for _ in range(2)])
        self.attentions = nn.ModuleList([VaeAttention(channels, groups)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        channels, groups = config["block_out_channels"], config["norm_num_groups"]
        self.conv_in = nn.Conv2d(config["latent_channels"], channels[-1], 3, padding=1)
        self.mid_block = VaeMid(channels[-1], groups)
        self.up_blocks = nn.ModuleList()
        width = channels[-1]
        for i, out in enumerate(reversed(channels)):
            self.up_blocks.append(VaeLevel(width, out, config["layers_per_block"] + 1, groups, i < len(channels) - 1))
            width = out
        self.conv_norm_out = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv_out = nn.Conv2d(width, config["out_channels"], 3, padding=1)

    def forward(self, x):
        x = self.mid_block(self.conv_in(x))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    """Latent, already divided by the scaling factor, to image in [-1, 1]."""

    def __init__(self, config):
        super().__init__()
        self.scaling_factor = config.get("scaling_factor", 0.18215)
        self.post_quant_conv = nn.Conv2d(config["latent_channels"], config["latent_channels"], 1)
        self.decoder = Decoder(config)

    def forward(self, z):
        return self.decoder(self.post_quant_conv(z))


def _load(folder, module, keep=lambda name: True):
    tensors = safetensors_file.load(folder / "diffusion_pytorch_model.safetensors")
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")):
            name = name.replace(f"mid_block.attentions.0.{old}.", f"mid_block.attentions.0.{new}.")
        renamed[name] = tensor
    wanted = module.state_dict()
    renamed = {n: t.float().reshape(wanted[n].shape) if n in wanted else t for n, t in renamed.items() if keep(n)}
    module.load_state_dict(renamed)  # strict: no weight is missing, none is left over
    return module.requires_grad_(False)


def load_unet(folder):
    folder = pathlib.Path(folder) / "unet"
    return _load(folder, UNet(json.loads((folder / "config.json").read_text())))


def load_vae(folder):
    folder = pathlib.Path(folder) / "vae"
    return _load(folder, Vae(json.loads((folder / "config.json").read_text())), lambda name: not name.startswith(("encoder.", "quant_conv.")))
