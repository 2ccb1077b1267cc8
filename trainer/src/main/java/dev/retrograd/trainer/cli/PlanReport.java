package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.plan.Pass;
import dev.retrograd.autograd.plan.RecomputationPlan;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.Storage;
import dev.retrograd.trainer.TrainConfig;
import dev.retrograd.trainer.Trainable;
import dev.retrograd.trainer.method.MethodSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.IntStream;

/// What `plan` prints: peak memory by component, a row for each number of differentiated steps, a row for each segment.
record PlanReport(String model, TrainConfig config, String device, PlannedRun.Held held, long workspace, long graphs, Update most, List<Update> updates, List<Segment> segments, Optional<Ceilings> ceilings,
        Optional<Roofline> roofline) {
    private static final double TERA = 1e12;
    private static final double GIGA = 1e9;

    /// An update with a number of differentiated steps.
    ///
    /// @param k differentiated steps; empty where that is no setting of the method's
    /// @param boundaries bytes kept between segments, and gradients, as the largest segment begins
    /// @param segment path of the largest segment
    /// @param segmentBytes taken by it
    /// @param recomputedSegments how many run again
    /// @param flops of all images of the update
    /// @param recomputedFlops of them
    /// @param seconds by the ceilings; empty without
    record Update(Optional<Integer> k, long peak, long boundaries, String segment, long segmentBytes, int recomputedSegments, double flops, double recomputedFlops, OptionalDouble seconds) {
    }

    /// A segment of the forward pass of one micro-batch.
    ///
    /// @param count like it in a row
    /// @param weights bytes of weights that it reads
    /// @param left bytes of its results and of what it keeps until its backward pass
    record Segment(String name, int level, int count, long weights, long flops, long bytes, long left, boolean recomputed) {
        private boolean like(Segment o) {
            return kind().equals(o.kind()) && level == o.level && weights == o.weights && flops == o.flops && recomputed == o.recomputed;
        }

        private String kind() {
            return name.replaceAll("\\d+", "#");
        }
    }

    /// @param launch seconds that a kernel takes at least, for a roofline, which needs ceilings as well; empty for none
    static PlanReport of(PlannedRun run, String model, int depth, Optional<Ceilings> ceilings, OptionalDouble launch) {
        TrainConfig config = run.config();
        MethodSettings method = config.method();
        int steps = config.sampler().steps();
        SortedSet<Integer> ks = new TreeSet<>();
        method.mostSteps(steps).ifPresent(most -> {
            ks.addAll(List.of(1, most));
            method.meanSteps(steps).ifPresent(mean -> ks.add((int) Math.max(1, Math.round(mean))));
        });
        List<Update> updates = new ArrayList<>();
        RecomputationPlan most = run.most();
        for (int k : ks.headSet(method.mostSteps(steps).orElse(0))) {
            updates.add(update(run, Optional.of(k), run.plan(method.withSteps(k)), ceilings));
        }
        updates.add(update(run, method.mostSteps(steps).stream().boxed().findFirst(), most, ceilings));
        Update largest = updates.getLast();
        List<Segment> segments = new ArrayList<>();
        segments(most.run(), 0, depth, most.recomputed(), segments);
        return new PlanReport(model, config, run.backend().standsFor() + ", " + run.backend().precision(), run.held(), run.backend().workspaceBytes(), run.graphs(), largest,
                updates, segments, ceilings, launch.isPresent() ? ceilings.map(c -> Roofline.of(most.run().calls(), run.repeats(), c, launch.getAsDouble())) : Optional.empty());
    }

    private static Update update(PlannedRun run, Optional<Integer> k, RecomputationPlan plan, Optional<Ceilings> ceilings) {
        Pass pass = plan.run();
        double repeats = run.repeats();
        String segment = pass.fullest().map(p -> p.path() + (p.backward() ? " backward" : "")).orElse("between segments");
        OptionalDouble seconds = ceilings.isPresent() ? OptionalDouble.of(ceilings.get().seconds(pass.costs()) * repeats) : OptionalDouble.empty();
        return new Update(k, pass.peak(), run.boundaries(pass), segment, pass.fullest().map(p -> p.peak() - p.open()).orElse(0L), plan.recomputed().size(),
                pass.cost().flops() * repeats, pass.recomputedFlops() * repeats, seconds);
    }

    /// The first forward pass through each segment, like ones in a row taken together.
    private static void segments(Pass around, int level, int depth, Set<String> recomputed, List<Segment> into) {
        if (level >= depth) {
            return;
        }
        Set<String> seen = new TreeSet<>();
        for (Pass p : around.inside()) {
            if (p.backward() || !seen.add(p.path())) {
                continue;
            }
            List<Segment> one = new ArrayList<>();
            String name = p.path().substring(p.path().lastIndexOf('/') + 1);
            one.add(new Segment(name, level, 1, p.weights().stream().mapToLong(Storage::bytes).sum(), p.cost().flops(), p.cost().bytes(), p.left(), recomputed.contains(p.path())));
            segments(p, level + 1, depth, recomputed, one);
            int last = into.size() - one.size();
            boolean like = last >= 0 && IntStream.range(0, one.size()).allMatch(i -> into.get(last + i).like(one.get(i)));
            if (like) {
                Segment s = into.get(last);
                into.set(last, new Segment(s.name(), s.level(), s.count() + 1, s.weights(), s.flops(), s.bytes(), Math.max(s.left(), one.getFirst().left()), s.recomputed()));
            } else {
                into.addAll(one);
            }
        }
    }

    /// Bytes that are no tensor's.
    private long beside() {
        return workspace + graphs;
    }

    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add(model + ", " + config.sampler().width() + "x" + config.sampler().height() + " pixels, " + config.sampler().steps() + " DDIM steps, guidance " + config.sampler().guidance()
                + "; " + config.method() + (config.trainable() == Trainable.FULL ? "; all weights of the UNet; " : "; ") + config.batchSize() + " images per update, " + config.microBatchSize() + " at once; " + device);
        lines.add("");
        lines.add("peak memory" + most.k().map(k -> " with K = " + k + ", the most that a draw differentiates").orElse(""));
        row(lines, held.model(), "text encoder, UNet, VAE decoder");
        row(lines, held.rewards(), "rewards");
        row(lines, held.training(), config.trainable() == Trainable.FULL ? "float32 weights of the UNet, optimiser, averages" : "LoRA weights, optimiser, averages");
        row(lines, most.boundaries(), "boundaries between segments, gradients");
        row(lines, most.segmentBytes(), "largest segment: " + most.segment());
        row(lines, most.peak(), "tensors, all together");
        row(lines, workspace, device.startsWith(Devices.CPU) ? "packing buffers" : "context and modules (assumed)");
        if (graphs > 0) {
            row(lines, graphs, "CUDA graphs at most (" + ByteSize.show(GraphUse.ASSUMED_BYTES_PER_LAUNCH) + " assumed for each of " + graphs / GraphUse.ASSUMED_BYTES_PER_LAUNCH + " launches)");
        }
        row(lines, 0, "staging on the host");
        row(lines, most.peak() + beside(), "in all");
        lines.add("");
        lines.add(String.format(Locale.ROOT, "%6s %12s %12s %14s %14s %12s", "K", "in all", "recomputed", "TFLOP/update", "of them again", "s/update"));
        for (Update u : updates) {
            lines.add(String.format(Locale.ROOT, "%6s %12s %12s %14.4g %13.1f%% %12s", u.k().map(String::valueOf).orElse("-"), ByteSize.show(u.peak() + beside()), u.recomputedSegments() + " seg.",
                    u.flops() / TERA, 100 * u.recomputedFlops() / u.flops(), u.seconds().isPresent() ? String.format(Locale.ROOT, "%.3g", u.seconds().getAsDouble()) : "-"));
        }
        lines.add(ceilings.map(c -> String.format(Locale.ROOT, "time at %.4g TFLOP/s and %.4g GB/s, with nothing lost between kernels", c.flops() / TERA, c.bandwidth() / GIGA))
                .orElse("no time: give --flops and --bandwidth of the device"));
        if (!segments.isEmpty()) {
            lines.add("");
            lines.add(String.format(Locale.ROOT, "%-44s %6s %12s %12s %12s  %s", "segment, forwards, one micro-batch", "runs", "weights", "GFLOP", "left behind", "backward"));
            for (Segment s : segments) {
                lines.add(String.format(Locale.ROOT, "%-44s %6s %12s %12.4g %12s  %s", "  ".repeat(s.level()) + s.name(), "x" + s.count(), ByteSize.show(s.weights()), s.flops() / GIGA, ByteSize.show(s.left()),
                        s.recomputed() ? "recomputed" : "stored"));
            }
        }
        roofline.ifPresent(r -> {
            lines.add("");
            lines.addAll(r.lines());
        });
        return lines;
    }

    private static void row(List<String> lines, long bytes, String what) {
        lines.add(String.format(Locale.ROOT, "%12s  %s", ByteSize.show(bytes), what));
    }

    ObjectNode json() {
        ObjectNode all = JsonNodeFactory.instance.objectNode().put("model", model).put("device", device).put("method", config.method().toString()).put("width", config.sampler().width())
                .put("height", config.sampler().height()).put("steps", config.sampler().steps()).put("batch_size", config.batchSize()).put("micro_batch_size", config.microBatchSize());
        all.putObject("peak_bytes").put("model", held.model()).put("rewards", held.rewards()).put("trained_and_optimizer", held.training()).put("boundaries_and_gradients", most.boundaries())
                .put("largest_segment", most.segmentBytes()).put("tensors", most.peak()).put("workspace", workspace).put("graphs", graphs).put("host_staging", 0).put("total", most.peak() + beside());
        all.put("largest_segment", most.segment());
        ArrayNode rows = all.putArray("updates");
        for (Update u : updates) {
            ObjectNode o = rows.addObject();
            u.k().ifPresent(k -> o.put("k", k));
            o.put("peak_bytes", u.peak()).put("recomputed_segments", u.recomputedSegments()).put("flops", u.flops()).put("recomputed_flops", u.recomputedFlops());
            u.seconds().ifPresent(s -> o.put("seconds", s));
        }
        ArrayNode parts = all.putArray("segments");
        segments.forEach(s -> parts.addObject().put("name", s.name()).put("level", s.level()).put("count", s.count()).put("weight_bytes", s.weights()).put("flops", s.flops()).put("bytes_moved", s.bytes())
                .put("left_bytes", s.left()).put("recomputed", s.recomputed()));
        roofline.ifPresent(r -> all.set("roofline", r.json()));
        return all;
    }
}
