package dev.retrograd.core.io;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The Python names that a checkpoint may mention. None of them is looked up or run: each stands for one thing that {@link Unpickler} does itself.
///
/// @param module and `name`: Python's
/// @param elements the safetensors name of a storage's element type; empty for everything else
record PickledClass(String module, String name, Role role, String elements) {
    /// What a mention amounts to.
    enum Role {
        DICTIONARY, TENSOR, TENSOR_WITHOUT_FLAGS, PARAMETER, STORAGE, SIZE,
        /// Training bookkeeping that lies beside the weights: kept as a value without content
        BOOKKEEPING
    }

    private static final Map<String, String> STORAGES = Map.of("DoubleStorage", "F64", "FloatStorage", "F32", "HalfStorage", "F16", "BFloat16Storage", "BF16",
            "LongStorage", "I64", "IntStorage", "I32", "ShortStorage", "I16", "CharStorage", "I8", "ByteStorage", "U8", "BoolStorage", "BOOL");

    private static final String[] BOOKKEEPING = {
        "torch device", "torch float64", "torch float32", "torch float16", "torch bfloat16", "torch int64", "torch int32", "torch uint8", "torch bool",
        "_codecs encode", "numpy dtype", "numpy ndarray", "numpy.core.multiarray scalar", "numpy.core.multiarray _reconstruct",
        "numpy._core.multiarray scalar", "numpy._core.multiarray _reconstruct", "argparse Namespace",
        "pytorch_lightning.callbacks.model_checkpoint ModelCheckpoint", "pytorch_lightning.callbacks.early_stopping EarlyStopping",
        "pytorch_lightning.utilities.parsing AttributeDict"};

    private static final Map<String, PickledClass> ALLOWED = Stream.of(
            Stream.of(new PickledClass("collections", "OrderedDict", Role.DICTIONARY, ""),
                    new PickledClass("torch._utils", "_rebuild_tensor_v2", Role.TENSOR, ""),
                    new PickledClass("torch._utils", "_rebuild_tensor", Role.TENSOR_WITHOUT_FLAGS, ""),
                    new PickledClass("torch._utils", "_rebuild_parameter", Role.PARAMETER, ""),
                    new PickledClass("torch", "Size", Role.SIZE, "")),
            STORAGES.entrySet().stream().map(e -> new PickledClass("torch", e.getKey(), Role.STORAGE, e.getValue())),
            Arrays.stream(BOOKKEEPING).map(s -> s.split(" ")).map(s -> new PickledClass(s[0], s[1], Role.BOOKKEEPING, "")))
            .flatMap(Function.identity()).collect(Collectors.toUnmodifiableMap(PickledClass::toString, Function.identity()));

    /// The class of this name, if checkpoints may mention it.
    static Optional<PickledClass> of(String module, String name) {
        return Optional.ofNullable(ALLOWED.get(module + "." + name));
    }

    @Override public String toString() {
        return module + "." + name;
    }
}
