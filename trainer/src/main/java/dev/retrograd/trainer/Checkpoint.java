package dev.retrograd.trainer;

import dev.retrograd.autograd.optim.Optimizer;
import dev.retrograd.autograd.optim.WeightEma;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.io.ModelFormatException;
import dev.retrograd.core.io.SafeTensors;
import dev.retrograd.core.io.SafeTensorsWriter;
import dev.retrograd.trainer.method.Method;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/// What a run is after some updates: the trained weights or noise, the optimiser's moments, the moving average, what the method remembers. All else is a function of the configuration.
///
/// A checkpoint is a folder `update-000010` with `state.safetensors` and, where a LoRA is trained, that of this moment; it is written under another name and renamed, so that there is never half of one.
final class Checkpoint {
    private static final String STATE = "state.safetensors";
    private static final String FORMAT = "retrograd-checkpoint-1";
    private static final long CHUNK_BYTES = 1 << 30;
    /// Before the names of the method's own tensors, which are not the same at every update.
    private static final String METHOD = "method.";
    private static final String CHECKSUM = "crc32c";
    private static final String PREFIX = "update-";
    private static final Pattern NAME = Pattern.compile("update-\\d{6,9}");

    private final Backend backend;
    private final Trainee trainee;
    private final Optimizer optimizer;
    private final Optional<WeightEma> ema;
    private final Method method;

    Checkpoint(Backend backend, Trainee trainee, Optimizer optimizer, Optional<WeightEma> ema, Method method) {
        this.backend = backend;
        this.trainee = trainee;
        this.optimizer = optimizer;
        this.ema = ema;
        this.method = method;
    }

    /// Writes something into a folder.
    @FunctionalInterface
    interface Content {
        void write(Path folder) throws IOException;
    }

    /// Saves the state after so many updates.
    ///
    /// @param exported the weights, which may be averages, for other readers
    /// @throws IOException if it cannot be written; nothing half-written is left
    void save(Path checkpoints, int updates, Content exported) throws IOException {
        Files.createDirectories(checkpoints);
        Path target = checkpoints.resolve(RunDirectory.updateName(updates));
        if (Files.exists(target)) {
            return;
        }
        Path fresh = Files.createTempDirectory(checkpoints, ".saving-");
        try (Scope _ = backend.memory().open("checkpoint")) {
            SafeTensorsWriter writer = new SafeTensorsWriter().metadata("format", FORMAT).metadata("updates", Integer.toString(updates));
            Map<String, Tensor> state = state();
            method.state().forEach((name, t) -> state.put(METHOD + name, t));
            state.forEach((name, t) -> writer.add(name, backend, t));
            writer.metadata(CHECKSUM, checksum(updates, state));
            writer.write(fresh.resolve(STATE));
            exported.write(fresh);
            Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            OutputFolder.deleteTree(fresh);
        }
    }

    /// Everything but the method's by name, in the innermost open scope.
    private Map<String, Tensor> state() {
        Map<String, Tensor> all = new HashMap<>();
        trainee.parameters().forEach(p -> all.put(p.name(), p.value()));
        all.putAll(optimizer.state());
        ema.ifPresent(e -> all.putAll(e.state()));
        return all;
    }

    /// Takes over a saved state.
    ///
    /// @return after how many updates it was saved
    /// @throws ModelFormatException if it is damaged, or of a run with other settings; names the file
    int load(Path checkpoint) throws IOException {
        Path file = checkpoint.resolve(STATE);
        try (SafeTensors tensors = SafeTensors.open(file); Scope _ = backend.memory().open("resume")) {
            if (!FORMAT.equals(tensors.metadata().get("format"))) {
                throw new ModelFormatException(file + ": must be of format " + FORMAT + ", got " + tensors.metadata().get("format"));
            }
            int updates = updates(file, tensors);
            Map<String, Tensor> own = state();
            if (!own.keySet().equals(tensors.names().stream().filter(n -> !n.startsWith(METHOD)).collect(Collectors.toSet()))) {
                throw new ModelFormatException(file + ": was saved by a run with other --method, --trainable, --lora-targets or --ema than this one");
            }
            CRC32C crc = checksum(updates);
            for (String name : new TreeSet<>(tensors.names())) {
                if (own.containsKey(name) && !tensors.spec(name).equals(own.get(name).spec())) {
                    throw new ModelFormatException(file + ": tensor '" + name + "' must be " + own.get(name).spec() + " as this run's settings, such as --lora-rank, have it, got " + tensors.spec(name));
                }
                add(crc, name, tensors.bytes(name));
            }
            String checksum = Long.toHexString(crc.getValue());
            if (!checksum.equals(tensors.metadata().get(CHECKSUM))) {
                throw new ModelFormatException(file + ": must have the checksum " + checksum + " after its content, got " + tensors.metadata().get(CHECKSUM)
                        + "; it is damaged, resume from an earlier checkpoint");
            }
            Map<String, Tensor> remembered = new HashMap<>();
            for (String name : tensors.names()) {
                if (name.startsWith(METHOD)) {
                    remembered.put(name.substring(METHOD.length()), tensors.load(backend, name));
                }
            }
            restoreMethod(file, remembered);
            // In place: of a whole UNet, there is no room for everything twice.
            for (Map.Entry<String, Tensor> e : own.entrySet()) {
                backend.upload(tensors.bytes(e.getKey()), e.getValue());
            }
            trainee.parameters().forEach(p -> own.remove(p.name()));
            Map<String, Tensor> averages = new HashMap<>();
            ema.ifPresent(e -> e.state().keySet().forEach(n -> averages.put(n, own.remove(n))));
            optimizer.restore(own);
            ema.ifPresent(e -> e.restore(averages));
            return updates;
        }
    }

    private void restoreMethod(Path file, Map<String, Tensor> remembered) throws ModelFormatException {
        try {
            method.restore(remembered);
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(file + ": was saved by a run with another --method or other settings of it: " + e.getMessage());
        }
    }

    /// Of the number of updates and every tensor's name and bytes: a disk's or a copy's silent errors must not go into training.
    private String checksum(int updates, Map<String, Tensor> state) {
        CRC32C crc = checksum(updates);
        new TreeMap<>(state).forEach((name, t) -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment bytes = arena.allocate(t.spec().bytes(), Long.BYTES);
                backend.download(t, bytes);
                add(crc, name, bytes);
            }
        });
        return Long.toHexString(crc.getValue());
    }

    private static CRC32C checksum(int updates) {
        CRC32C crc = new CRC32C();
        crc.update(Integer.toString(updates).getBytes(StandardCharsets.UTF_8));
        return crc;
    }

    private static void add(CRC32C crc, String name, MemorySegment bytes) {
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        for (long at = 0; at < bytes.byteSize(); at += CHUNK_BYTES) {
            crc.update(bytes.asSlice(at, Math.min(CHUNK_BYTES, bytes.byteSize() - at)).asByteBuffer());
        }
    }

    private static int updates(Path file, SafeTensors tensors) throws ModelFormatException {
        String updates = tensors.metadata().getOrDefault("updates", "nothing");
        if (!updates.matches("\\d{1,9}")) {
            throw new ModelFormatException(file + ": its metadata must have a number of updates, got " + updates);
        }
        return Integer.parseInt(updates);
    }

    static boolean is(Path folder) {
        return NAME.matcher(folder.getFileName().toString()).matches() && Files.isRegularFile(folder.resolve(STATE));
    }

    /// The checkpoints in a folder, oldest first.
    static List<Path> all(Path checkpoints) throws IOException {
        if (!Files.isDirectory(checkpoints)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(checkpoints)) {
            return entries.filter(Checkpoint::is)
                    .sorted(Comparator.comparing((Path p) -> p.getFileName().toString().length()).thenComparing(p -> p.getFileName().toString())).toList();
        }
    }

    /// Deletes those of later updates, which a run that goes on from here does anew.
    static void dropAfter(Path checkpoints, int updates) throws IOException {
        for (Path checkpoint : all(checkpoints)) {
            if (Integer.parseInt(checkpoint.getFileName().toString().substring(PREFIX.length())) > updates) {
                OutputFolder.deleteTree(checkpoint);
            }
        }
    }

    /// Deletes all but the newest `keep`; 0 keeps all.
    static void prune(Path checkpoints, int keep) throws IOException {
        List<Path> all = all(checkpoints);
        for (Path old : all.subList(0, keep == 0 ? 0 : Math.max(0, all.size() - keep))) {
            OutputFolder.deleteTree(old);
        }
    }
}
