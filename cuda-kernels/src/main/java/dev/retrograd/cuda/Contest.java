package dev.retrograd.cuda;

import dev.retrograd.core.DType;
import dev.retrograd.core.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/// Work that several can do, done by the fastest of those that agree. Who that is, is found out when work of a shape comes for the first time, on its own operands:
/// every candidate's results are compared with those of the program's own kernels, then all are timed. The choice is kept.
///
/// Results that are all zero, or not finite, tell nothing: the program's own kernels are used then, and the shape waits for others. A candidate that disagrees once
/// or refuses to work is tried for no other shape.
final class Contest {
    private static final double F32_TOLERANCE = 0x1p-10;
    /// Of tf32, and of results of float16.
    private static final double NARROW_TOLERANCE = 0x1p-6;
    private static final double BF16_TOLERANCE = 0x1p-4;

    private final String option;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Stopwatch stopwatch;
    private final KernelChoices choices;
    private final Consumer<String> notices;
    private final Map<Object, String> chosen = new HashMap<>();
    private final Set<String> distrusted = new HashSet<>();

    /// Who can do a piece of work.
    ///
    /// @param name by which the choice is kept: `ptx`, `cublas`
    record Candidate(String name, Runnable work) {
    }

    /// A piece of work.
    ///
    /// @param shape all that its time depends on; equal for equal work, and the name by which the choice is kept
    /// @param results what it writes
    /// @param adds whether it reads its results, too
    /// @param multiplied the type that products are rounded to, empty for exact ones
    record Work(Object shape, List<Tensor> results, boolean adds, Optional<DType> multiplied) {

        /// The distance between two results, beside their own size and the typical one, that different orders of the same sum explain: rounding of operands to
        /// tf32 or of results to 16 bits, several times over.
        private double tolerance() {
            if (results.getFirst().dtype() == DType.BF16) {
                return BF16_TOLERANCE;
            }
            return multiplied.isEmpty() ? F32_TOLERANCE : NARROW_TOLERANCE;
        }
    }

    /// @param option that lets candidates compete, as messages say it: `--gemm`
    /// @param notices told, in a sentence, of a candidate that is not used
    Contest(String option, CudaDriver driver, CudaDriver.Stream stream, KernelChoices choices, Consumer<String> notices) {
        this.option = option;
        this.driver = driver;
        this.stream = stream;
        this.choices = choices;
        this.notices = notices;
        stopwatch = new Stopwatch(driver, stream);
    }

    /// Does the work.
    ///
    /// @param candidates the first is the program's own, which always can
    void run(Work work, List<Candidate> candidates) {
        String name = chosen.get(work.shape);
        if (name == null) {
            Optional<String> found = choose(work, candidates);
            found.ifPresent(f -> chosen.put(work.shape, f));
            name = found.orElse(candidates.getFirst().name);
        }
        String winner = name;
        candidates.stream().filter(c -> c.name.equals(winner)).findFirst().orElse(candidates.getFirst()).work.run();
    }

    private Optional<String> choose(Work work, List<Candidate> candidates) {
        String what = work.shape.toString();
        if (candidates.size() == 1) {
            return Optional.of(choices.ofRun(what, c -> c.equals(candidates.getFirst().name)).orElse(candidates.getFirst().name));
        }
        Optional<String> known = choices.chosen(what, choice -> candidates.stream().anyMatch(c -> c.name.equals(choice)));
        if (known.isPresent()) {
            return known;
        }
        Optional<String> measured = measure(work, candidates);
        measured.ifPresent(m -> choices.keep(what, m));
        return measured;
    }

    /// The fastest of those that agree with the first; empty if nothing can be said.
    private Optional<String> measure(Work work, List<Candidate> candidates) {
        try (Arena arena = Arena.ofConfined()) {
            List<MemorySegment> before = work.adds ? download(arena, work) : List.of();
            candidates.getFirst().work.run();
            List<MemorySegment> expected = download(arena, work);
            List<Distance> distances = IntStream.range(0, expected.size()).mapToObj(i -> new Distance(work.results.get(i).dtype(), expected.get(i))).toList();
            if (!distances.stream().allMatch(Distance::says)) {
                restore(work, before);
                return Optional.empty();
            }
            List<Candidate> fit = candidates.stream().filter(c -> c == candidates.getFirst() || !distrusted.contains(c.name) && agrees(arena, work, c, before, distances)).toList();
            String fastest = fastest(fit);
            restore(work, before);
            return Optional.of(fastest);
        }
    }

    private boolean agrees(Arena arena, Work work, Candidate c, List<MemorySegment> before, List<Distance> distances) {
        List<MemorySegment> theirs;
        try {
            // What it does not write must not be what another one wrote.
            work.results.forEach(t -> driver.clear(Launcher.address(t), t.spec().bytes(), stream));
            restore(work, before);
            c.work.run();
            theirs = download(arena, work);
        } catch (CudaException e) {
            distrust(c.name, e.getMessage());
            return false;
        }
        for (int i = 0; i < theirs.size(); i++) {
            double most = distances.get(i).of(theirs.get(i));
            if (!(most <= work.tolerance())) {
                distrust(c.name, "cuda: " + c.name + " must agree with the program's own kernels within " + work.tolerance() + " of a result's size, got " + (float) most + " at '" + work.shape + "'");
                return false;
            }
        }
        return true;
    }

    /// Tries a candidate for no further shape, and says so, if that is new.
    ///
    /// @param why in a sentence
    void distrust(String name, String why) {
        if (distrusted.add(name)) {
            notices.accept(why + "; " + option + " auto uses it for no further shape");
        }
    }

    private String fastest(List<Candidate> candidates) {
        Candidate best = candidates.getFirst();
        double least = Double.POSITIVE_INFINITY;
        for (Candidate c : candidates.size() == 1 ? List.<Candidate>of() : candidates) {
            double millis = stopwatch.millis(c.work);
            if (millis < least) {
                least = millis;
                best = c;
            }
        }
        return best.name;
    }

    private List<MemorySegment> download(Arena arena, Work work) {
        List<MemorySegment> all = work.results.stream().map(t -> {
            MemorySegment host = arena.allocate(t.spec().bytes(), Long.BYTES);
            driver.copyToHost(Launcher.address(t), host, stream);
            return host;
        }).toList();
        driver.synchronize(stream);
        return all;
    }

    private void restore(Work work, List<MemorySegment> before) {
        for (int i = 0; i < before.size(); i++) {
            driver.copyToDevice(before.get(i), Launcher.address(work.results.get(i)), stream);
        }
        driver.synchronize(stream);
    }
}
