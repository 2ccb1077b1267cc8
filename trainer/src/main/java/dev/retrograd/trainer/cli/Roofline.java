package dev.retrograd.trainer.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.plan.Pass;
import dev.retrograd.trainer.report.Table;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// What bounds each kernel of an update: arithmetic, memory traffic, or being launched at all. A call takes the longest of the three, call by call, since one
/// kernel is called with large and with small shapes.
///
/// Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures", 2009.
///
/// @param launch seconds that a call takes at least
/// @param rows by kernel, the longest first
record Roofline(Ceilings ceilings, double launch, List<Row> rows) {
    private static final double GIGA = 1e9;
    private static final double MILLI = 1e-3;

    /// What a call waits for.
    enum Bound {
        ARITHMETIC, TRAFFIC, LAUNCHES
    }

    /// All calls of a kernel in an update.
    ///
    /// @param seconds that its calls take by what bounds them
    record Row(String kernel, double calls, double flops, double bytes, Map<Bound, Double> seconds) {
        double all() {
            return seconds.values().stream().mapToDouble(Double::doubleValue).sum();
        }

        private Bound bound() {
            return seconds.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
        }

        private Row plus(Row o) {
            Map<Bound, Double> sum = new EnumMap<>(seconds);
            o.seconds.forEach((bound, s) -> sum.merge(bound, s, Double::sum));
            return new Row(kernel, calls + o.calls, flops + o.flops, bytes + o.bytes, sum);
        }

        private List<String> cells(double total) {
            String share = String.format(Locale.ROOT, "%.1f", 100 * all() / total);
            String bound = bound().name().toLowerCase(Locale.ROOT) + String.format(Locale.ROOT, " %.0f %%", 100 * seconds.get(bound()) / all());
            return List.of(kernel, String.format(Locale.ROOT, "%.0f", calls), Table.number(flops / GIGA), Table.number(bytes / GIGA), Table.number(flops / bytes), Table.number(all() / MILLI), share, bound);
        }
    }

    /// @param calls of the images that a plan runs
    /// @param repeats how many times those are an update's
    /// @param launch seconds
    static Roofline of(Map<Pass.Call, Long> calls, double repeats, Ceilings ceilings, double launch) {
        Map<String, Row> byKernel = new TreeMap<>();
        calls.forEach((call, times) -> {
            double n = times * repeats;
            double arithmetic = call.flops() / ceilings.flops();
            double traffic = call.bytes() / ceilings.bandwidth();
            Bound bound = launch >= Math.max(arithmetic, traffic) ? Bound.LAUNCHES : arithmetic >= traffic ? Bound.ARITHMETIC : Bound.TRAFFIC;
            Row row = new Row(call.kernel(), n, n * call.flops(), n * call.bytes(), Map.of(bound, n * Math.max(launch, Math.max(arithmetic, traffic))));
            byKernel.merge(call.kernel(), row, Row::plus);
        });
        return new Roofline(ceilings, launch, byKernel.values().stream().sorted(Comparator.comparingDouble(Row::all).reversed()).toList());
    }

    private Row total() {
        return rows.stream().map(r -> new Row("all", r.calls, r.flops, r.bytes, r.seconds)).reduce(Row::plus).orElseThrow();
    }

    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add(String.format(Locale.ROOT, "kernels of an update against %.4g TFLOP/s, %.4g GB/s and %.3g us a call: the longest of the three for every call; 'bound' is what holds back the most of a kernel's time",
                ceilings.flops() / 1e12, ceilings.bandwidth() / GIGA, launch * 1e6));
        lines.addAll(table().text().lines().toList());
        return lines;
    }

    Table table() {
        List<List<String>> cells = new ArrayList<>();
        Row total = total();
        rows.forEach(r -> cells.add(r.cells(total.all())));
        cells.add(total.cells(total.all()));
        return new Table(List.of("kernel", "calls", "GFLOP", "GB", "FLOP/byte", "ms at least", "% of all", "bound"), cells);
    }

    ObjectNode json() {
        ObjectNode all = JsonNodeFactory.instance.objectNode().put("flops_per_second", ceilings.flops()).put("bytes_per_second", ceilings.bandwidth()).put("launch_seconds", launch);
        ArrayNode kernels = all.putArray("kernels");
        for (Row r : rows) {
            ObjectNode o = kernels.addObject().put("kernel", r.kernel).put("calls", r.calls).put("flops", r.flops).put("bytes", r.bytes);
            for (Bound b : Bound.values()) {
                o.put(b.name().toLowerCase(Locale.ROOT) + "_seconds", r.seconds.getOrDefault(b, 0.0));
            }
        }
        return all;
    }
}
