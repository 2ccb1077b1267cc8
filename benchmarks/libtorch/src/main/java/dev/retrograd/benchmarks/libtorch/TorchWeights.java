package dev.retrograd.benchmarks.libtorch;

import dev.retrograd.autograd.nn.Lora;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Shape;
import dev.retrograd.core.io.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/// A model's weights in libtorch, by the names of files, float32, with the low-rank updates of its linear layers.
final class TorchWeights {
    private final MemoryFormat format;
    private final Map<String, Tensor> byName = new HashMap<>();
    private final Map<String, TensorOptional> optional = new HashMap<>();
    private final TensorOptional none = new TensorOptional();
    private final Map<String, Update> updates = new LinkedHashMap<>();

    /// `scale·B·A` of a layer.
    record Update(Tensor a, Tensor b, double scale) {
    }

    /// @param format of kernels and images
    TorchWeights(MemoryFormat format) {
        this.format = format;
    }

    /// All tensors of a file.
    static TorchWeights read(Path file, MemoryFormat format) throws IOException {
        TorchWeights weights = new TorchWeights(format);
        try (TensorFile tensors = TensorFile.open(file)) {
            for (String name : tensors.names()) {
                weights.put(name, tensors.floats(name), tensors.shape(name));
            }
        }
        return weights;
    }

    /// @param shape as in files
    void put(String name, float[] values, Shape shape) {
        long[] dims = new long[shape.rank()];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = shape.dim(i);
        }
        Tensor t = Torch.of(values, dims);
        Tensor kept = dims.length == 4 ? Torch.laidOut(t, format) : t;
        byName.put(name, kept);
        optional.put(name, new TensorOptional(kept)); // here, as what a pass makes dies with its scope
    }

    /// Gives a layer the update that it has on a backend, trainable.
    void attach(Backend backend, String module, Lora lora) {
        Shape a = lora.a().spec().shape();
        Shape b = lora.b().spec().shape();
        updates.put(module, new Update(Torch.of(backend.toFloats(lora.a().value()), a.dim(0), a.dim(1)).requires_grad_(true),
                Torch.of(backend.toFloats(lora.b().value()), b.dim(0), b.dim(1)).requires_grad_(true), lora.scale()));
    }

    /// A and B of every update, in the order they were attached.
    List<Tensor> trainable() {
        List<Tensor> all = new ArrayList<>();
        updates.values().forEach(u -> {
            all.add(u.a());
            all.add(u.b());
        });
        return all;
    }

    /// The memory format of kernels and images.
    MemoryFormat format() {
        return format;
    }

    boolean has(String name) {
        return byName.containsKey(name);
    }

    /// @throws IllegalStateException if there is none of this name
    Tensor get(String name) {
        Tensor t = byName.get(name);
        if (t == null) {
            throw new IllegalStateException("libtorch: the model's weights must have '" + name + "', got " + byName.size() + " others");
        }
        return t;
    }

    /// The same as an argument that may be absent; empty where there is no such weight.
    TensorOptional optional(String name) {
        return optional.getOrDefault(name, none);
    }

    /// `x·wᵀ + bias`, with the layer's update; x is given away.
    Tensor linear(String module, Tensor x) {
        Tensor weight = matrix(module + ".weight");
        Update u = updates.get(module);
        if (u == null) {
            return Torch.linear(x, weight, optional(module + ".bias"));
        }
        Tensor low = Torch.scaled(Torch.linear(Torch.linear(Torch.again(x), u.a(), none), u.b(), none), u.scale());
        return Torch.add(Torch.linear(x, weight, optional(module + ".bias")), low);
    }

    /// Old files keep the matrices of the autoencoder's attention as 1×1 kernels.
    private Tensor matrix(String name) {
        Tensor t = get(name);
        return t.dim() == 4 ? t.view(t.size(0), t.size(1)) : t;
    }

    Tensor conv(String module, Tensor x, int stride) {
        Tensor w = get(module + ".weight");
        return Torch.conv2d(x, w, optional(module + ".bias"), stride, w.size(2) / 2);
    }

    Tensor groupNorm(String module, Tensor x, int groups, double eps) {
        return Torch.groupNorm(x, groups, optional(module + ".weight"), optional(module + ".bias"), eps);
    }

    Tensor layerNorm(String module, Tensor x) {
        return Torch.layerNorm(x, optional(module + ".weight"), optional(module + ".bias"), 1e-5);
    }
}
