package dev.retrograd.benchmarks.libtorch;

import static dev.retrograd.benchmarks.libtorch.Torch.again;

import dev.retrograd.benchmarks.Miniature;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.unet.diffusion.DdimSchedule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// The update of {@link Miniature} on libtorch: what a user writes with the released AlignProp code, each differentiated step checkpointed, the decoder stored.
final class TorchMiniature {
    private final TorchUNet unet;
    private final TorchDecoder decoder;
    private final double scalingFactor;
    private final MemoryFormat format;
    private final Miniature.Size size;
    private final DdimSchedule schedule;
    private final Tensor latents;
    private final Tensor context;
    private final TensorVector trainable;
    private final AdamW optimizer;

    /// Starts from the weights, low-rank matrices, latents and text of the other side.
    TorchMiniature(Backend backend, Path folder, Miniature ours, Miniature.Size size, MemoryFormat format) throws IOException {
        this.size = size;
        this.format = format;
        schedule = ours.schedule();
        TorchWeights weights = TorchWeights.read(folder.resolve("unet/diffusion_pytorch_model.safetensors"), format);
        ours.lora().byModule().forEach((module, lora) -> weights.attach(backend, module, lora));
        unet = new TorchUNet(ours.model().unet().config(), weights);
        decoder = new TorchDecoder(ours.model().vaeDecoder().config(), TorchWeights.read(folder.resolve("vae/diffusion_pytorch_model.safetensors"), format));
        scalingFactor = ours.model().vaeDecoder().config().scalingFactor();
        Shape l = ours.latents().shape();
        latents = Torch.laidOut(Torch.of(backend.toFloats(ours.latents()), l.dim(0), l.dim(1), l.dim(2), l.dim(3)).permute(0, 3, 1, 2), format);
        Shape c = ours.context().shape();
        context = Torch.of(backend.toFloats(ours.context()), c.dim(0), c.dim(1), c.dim(2));
        trainable = new TensorVector(weights.trainable().toArray(Tensor[]::new));
        AdamWOptions options = new AdamWOptions(Miniature.LEARNING_RATE);
        options.weight_decay().put(1e-4);
        optimizer = new AdamW(trainable, options);
    }

    Miniature.Outcome update() {
        try (PointerScope _ = new PointerScope()) {
            optimizer.zero_grad();
            int first = size.steps() - size.kept();
            List<Tensor> states = new ArrayList<>();
            Tensor x = again(latents);
            try (NoGradGuard _ = new NoGradGuard()) {
                for (int i = 0; i < size.steps(); i++) {
                    if (i >= first) {
                        states.add(again(x));
                    }
                    x = step(i, x);
                }
            }
            x = x.detach().requires_grad_(true);
            double loss = loss(x);
            Tensor dx = x.grad();
            for (int i = size.steps() - 1; i >= first; i--) {
                try (PointerScope inner = new PointerScope()) {
                    Tensor from = states.removeLast().requires_grad_(i > first);
                    Tensor to = step(i, again(from));
                    to.backward(dx, new BoolOptional(), false, new TensorArrayRefOptional());
                    if (i > first) {
                        dx = from.grad();
                        inner.detach(dx);
                    }
                }
            }
            double norm = torch.clip_grad_norm_(trainable, Miniature.MAX_NORM);
            optimizer.step();
            return new Miniature.Outcome(loss, norm);
        }
    }

    /// One guided DDIM step; x is given away.
    private Tensor step(int step, Tensor x) {
        DdimSchedule.Coefficients c = schedule.coefficients(step, 0);
        Tensor both = unet.forward(Torch.concatenated(again(x), again(x), 0), again(context), schedule.timestep(step));
        try (TensorVector halves = torch.chunk(both, 2, 0); both) {
            Tensor eps = Torch.combined(1 - Miniature.GUIDANCE, again(halves.get(0)), Miniature.GUIDANCE, again(halves.get(1)));
            return Torch.combined(c.ofX(), x, c.ofOutput(), eps);
        }
    }

    /// Minus the mean of red; leaves the gradient with the latent.
    private double loss(Tensor latent) {
        try (PointerScope _ = new PointerScope()) {
            Tensor image = decoder.forward(Torch.scaled(again(latent), 1 / scalingFactor));
            Tensor pixels = image.mul(new Scalar(0.5)).add(new Scalar(0.5)).clamp(new ScalarOptional(new Scalar(0)), new ScalarOptional(new Scalar(1)));
            Tensor loss = pixels.narrow(1, 0, 1).mean().neg();
            loss.backward();
            return loss.item_float();
        }
    }

    String layout() {
        return Kernels.name(format);
    }
}
