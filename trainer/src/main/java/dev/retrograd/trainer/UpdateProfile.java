package dev.retrograd.trainer;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.retrograd.autograd.Segment;
import dev.retrograd.core.PlanBackend;
import dev.retrograd.core.ProfiledBackend;
import dev.retrograd.core.Scope;
import dev.retrograd.trainer.report.Table;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// What one update of a run took: time, calls, launches, FLOPs and bytes by kernel and by segment.
///
/// Every call is waited for, so an update under measurement is slower than others on a device that works ahead of the host.
public final class UpdateProfile {
    /// How many updates of a process run before the measured one, as the first are slow: the JVM compiles what they run.
    private static final int AFTER = 2;
    private static final String BACKWARD = " backward";
    private static final double GIGA = 1e9;
    private static final double MILLI = 1e-3;

    private final ProfiledBackend backend;
    private final Set<String> segments = new HashSet<>();
    private final Map<String, Part> kernels = new HashMap<>();
    private final Map<String, Part> parts = new HashMap<>();
    private int updates;
    private long start;
    private long accounted;
    private double seconds;

    /// The sum of some calls.
    private record Part(String name, double seconds, long launches, PlanBackend.Cost cost) {
        Part plus(Part o) {
            return new Part(name, seconds + o.seconds, launches + o.launches, cost.plus(o.cost));
        }
    }

    /// @param backend what the run computes on
    public UpdateProfile(ProfiledBackend backend) {
        this.backend = backend;
    }

    /// Begins to measure, if it is this update's turn.
    ///
    /// @param last whether no update comes after
    /// @param policy of the update
    /// @return the policy to use instead
    Segment.Policy begin(boolean last, Segment.Policy policy) {
        if (updates++ != AFTER && !(last && updates <= AFTER)) {
            return policy;
        }
        backend.observe(this::called);
        accounted = backend.accountingNanos();
        start = System.nanoTime();
        return path -> {
            segments.add(path);
            return policy.of(path);
        };
    }

    /// Ends measuring.
    ///
    /// @return whether this update was measured
    boolean end() {
        boolean measured = start != 0 && seconds == 0;
        if (measured) {
            seconds = (System.nanoTime() - start - (backend.accountingNanos() - accounted)) / 1e9;
            backend.observe(ProfiledBackend.NOBODY);
        }
        return measured;
    }

    private void called(ProfiledBackend.Call call) {
        add(kernels, call.kernel(), call);
        add(parts, part(call.scope()), call);
    }

    private static void add(Map<String, Part> to, String name, ProfiledBackend.Call call) {
        to.merge(name, new Part(name, call.nanos() / 1e9, call.launches(), call.cost()), Part::plus);
    }

    /// The outermost segment around a call, steps taken together: forwards, backwards, or forwards once more on the way back.
    private String part(Scope innermost) {
        String outermost = "";
        boolean back = false;
        boolean again = false;
        boolean forward = false;
        for (Scope s = innermost; !s.isOutermost(); s = s.parent()) {
            boolean backward = s.name().endsWith(BACKWARD);
            String path = backward ? s.name().substring(0, s.name().length() - BACKWARD.length()) : s.name();
            if (segments.contains(path)) {
                again |= backward && forward;
                forward |= !backward;
                back |= backward;
                outermost = path;
            }
        }
        return outermost.isEmpty() ? "outside segments" : outermost.replaceAll("\\d+", "#") + (again ? ", again" : back ? ", backward" : "");
    }

    private static List<Part> sorted(Map<String, Part> parts) {
        return parts.values().stream().sorted(Comparator.comparingDouble(Part::seconds).reversed().thenComparing(Part::name)).toList();
    }

    /// Tables by kernel and by segment, the longest first.
    List<String> lines(int update) {
        double inside = kernels.values().stream().mapToDouble(Part::seconds).sum();
        List<String> lines = new ArrayList<>();
        lines.add(String.format(Locale.ROOT, "profile of update %d: %.3f s, of which %.1f %% between kernels; every call waited for", update, seconds, 100 * (seconds - inside) / seconds));
        lines.addAll(table("kernel", kernels).text().lines().toList());
        lines.add("");
        lines.addAll(table("segment", parts).text().lines().toList());
        return lines;
    }

    private Table table(String what, Map<String, Part> parts) {
        List<List<String>> rows = sorted(parts).stream().map(p -> List.of(p.name(), String.valueOf(p.cost().calls()), String.valueOf(p.launches()), Table.number(p.seconds() / MILLI),
                String.format(Locale.ROOT, "%.1f", 100 * p.seconds() / seconds), Table.number(p.cost().flops() / GIGA), Table.number(p.cost().flops() / GIGA / p.seconds()),
                Table.number(p.cost().bytes() / GIGA), Table.number(p.cost().bytes() / GIGA / p.seconds()))).toList();
        return new Table(List.of(what, "calls", "launches", "ms", "% of update", "GFLOP", "GFLOP/s", "GB", "GB/s"), rows);
    }

    ObjectNode json(int update) {
        ObjectNode all = JsonNodeFactory.instance.objectNode().put("update", update).put("seconds", seconds);
        json(all.putArray("kernels"), kernels);
        json(all.putArray("segments"), parts);
        return all;
    }

    private static void json(ArrayNode into, Map<String, Part> parts) {
        sorted(parts).forEach(p -> into.addObject().put("name", p.name()).put("calls", p.cost().calls()).put("launches", p.launches()).put("seconds", p.seconds())
                .put("flops", p.cost().flops()).put("bytes", p.cost().bytes()));
    }
}
