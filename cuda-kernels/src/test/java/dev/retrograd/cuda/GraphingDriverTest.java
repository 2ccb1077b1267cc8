package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.GraphUse;
import dev.retrograd.core.Precision;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Launches that came before are submitted as graphs, and nothing else changes.
class GraphingDriverTest {
    private static final int SIZE = 40;
    private final EmulatedDriver driver = new EmulatedDriver(64 << 20).lazy();
    private final List<String> notices = new ArrayList<>();
    private CudaBackend backend = open(driver);

    private CudaBackend open(CudaDriver below) {
        return CudaBackend.open(below, BackendOptions.of(notices::add).with(Optional.of(Precision.F32)));
    }

    @AfterEach void close() {
        backend.close();
        assertEquals(0, driver.allocations(), "allocations and graphs left behind");
    }

    private static Tensor ones(CudaBackend b) {
        Tensor x = b.empty("x", Spec.f32(SIZE));
        b.fill(x, 1);
        return x;
    }

    /// `x = factor·x + constant`, one launch.
    private static void affine(CudaBackend b, Tensor x, double factor, double constant) {
        b.linearCombination(constant, new double[] {factor}, new Tensor[] {x}, x);
    }

    private static void steps(CudaBackend b, Tensor x, int from, int to) {
        IntStream.range(from, to).forEach(i -> affine(b, x, 0.5, i));
    }

    private float value(Tensor x) {
        float[] values = backend.toFloats(x);
        for (float v : values) {
            assertEquals(values[0], v);
        }
        return values[0];
    }

    private static float expected(float x, int from, int to) {
        float y = x;
        for (int i = from; i < to; i++) {
            y = 0.5f * y + i;
        }
        return y;
    }

    @Test void launchesThatComeAgainAreSubmittedAsOne() {
        Tensor x = ones(backend);
        float y = value(x);
        for (int round = 0; round < 4; round++) {
            long launches = driver.launches();
            long submissions = driver.submissions();
            steps(backend, x, 0, 15);
            y = expected(y, 0, 15);
            assertEquals(y, value(x), "round " + round);
            assertEquals(15, driver.launches() - launches, "kernels in round " + round);
            assertEquals(round == 0 ? 17 : 3, driver.submissions() - submissions, "submissions in round " + round + ", both copies of the download included");
        }
        assertEquals(List.of(), notices);
    }

    @Test void aLaunchThatDiffersIsMadeAsItIs() {
        Tensor x = ones(backend);
        Tensor other = ones(backend);
        float y = value(x);
        for (int round = 0; round < 6; round++) {
            steps(backend, x, 0, 10);
            affine(backend, x, 1, round % 3 * 100);
            steps(backend, x, 10, 15);
            y = expected(expected(y, 0, 10) + round % 3 * 100, 10, 15);
            assertEquals(y, value(x), "round " + round);
        }
        assertEquals(1, value(other));
        long submissions = driver.submissions();
        steps(backend, x, 0, 10);
        affine(backend, x, 1, 100);
        steps(backend, x, 10, 15);
        value(x);
        assertEquals(3, driver.submissions() - submissions, "every branch has its graph");
    }

    @Test void longRunsFallIntoStepAgainAfterADifference() {
        Tensor x = ones(backend);
        float y = value(x);
        for (int round = 0; round < 3; round++) {
            long submissions = driver.submissions();
            affine(backend, x, 1, -round);   // never the same
            steps(backend, x, 0, 900);
            y = expected(y - round, 0, 900);
            assertEquals(y, value(x), "round " + round);
            long taken = driver.submissions() - submissions;
            assertTrue(round == 0 ? taken == 903 : taken < 320, "submissions in round " + round + ": " + taken);
        }
    }

    @Test void whatGraphsTakeIsMeasured() {
        Tensor x = ones(backend);
        assertEquals(Optional.of(GraphUse.NONE), backend.graphs());
        for (int round = 0; round < 3; round++) {
            steps(backend, x, 0, 15);
            value(x);
        }
        assertEquals(Optional.of(new GraphUse(1, 15, 15 * EmulatedDriver.BYTES_PER_GRAPH_NODE)), backend.graphs());
        try (CudaBackend plain = new CudaBackend(new EmulatedDriver(64 << 20), Precision.F32)) {
            assertEquals(Optional.empty(), plain.graphs());
        }
    }

    @Test void noMoreLaunchesAreInGraphsThanAPlanSetsAside() {
        Tensor x = ones(backend);
        float y = value(x);
        int all = (int) GraphUse.MOST_LAUNCHES + 2000;
        for (int round = 0; round < 2; round++) {
            steps(backend, x, 0, all);
            y = expected(y, 0, all);
            assertEquals(y, value(x), "round " + round);
        }
        long launches = backend.graphs().orElseThrow().launches();
        assertTrue(launches <= GraphUse.MOST_LAUNCHES && launches > GraphUse.MOST_LAUNCHES - 256, "launches in graphs: " + launches);
    }

    @Test void whateverTheOrderOfLaunchesTheResultIsTheSame() {
        Random random = new Random(11);
        EmulatedDriver plain = new EmulatedDriver(64 << 20);
        try (CudaBackend reference = new CudaBackend(plain, Precision.F32)) {
            Tensor[] x = {ones(backend), ones(backend)};
            Tensor[] r = {ones(reference), ones(reference)};
            for (int piece = 0; piece < 300; piece++) {
                int which = random.nextInt(0, 2);
                int from = random.nextInt(0, 3) * 12;
                int to = from + random.nextInt(0, 40);
                steps(backend, x[which], from, to);
                steps(reference, r[which], from, to);
                if (random.nextInt(0, 4) == 0) {
                    assertArrayEquals(reference.toFloats(r[which]), backend.toFloats(x[which]), "after piece " + piece);
                }
            }
            assertArrayEquals(reference.toFloats(r[0]), backend.toFloats(x[0]));
            assertArrayEquals(reference.toFloats(r[1]), backend.toFloats(x[1]));
            assertEquals(plain.launches(), driver.launches());
            assertTrue(driver.submissions() < plain.submissions(), driver.submissions() + " submissions, one by one " + plain.submissions());
        }
    }

    @Test void whereGraphsCannotBeMadeLaunchesGoOneByOneAndOneNoticeSaysSo() {
        for (String failing : List.of("beginCapture", "endCapture")) {
            notices.clear();
            backend.close();
            backend = open(failing(driver, name -> name.equals(failing)));
            Tensor x = ones(backend);
            float y = value(x);
            for (int round = 0; round < 3; round++) {
                steps(backend, x, 0, 15);
                y = expected(y, 0, 15);
                assertEquals(y, value(x), failing + ", round " + round);
            }
            assertEquals(List.of("CUDA graphs are off, kernels are launched one by one: cuda: " + failing + " refused"), notices);
        }
    }

    /// A driver some of whose functions refuse to work, after having done so.
    private static CudaDriver failing(EmulatedDriver driver, Predicate<String> functions) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            if (method.getName().equals("close")) {
                return null;
            }
            if (functions.test(method.getName())) {
                if (method.getName().equals("endCapture")) {
                    driver.free(driver.endCapture((CudaDriver.Stream) arguments[0]));
                }
                throw new CudaException("cuda: " + method.getName() + " refused");
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    @Test void memoryThatIsGivenBackTakesTheGraphsOfItsTimeWithIt() {
        CudaDriver graphing = new GraphingDriver(driver, notices::add);
        CudaDriver.Stream stream = graphing.createStream();
        CudaDriver.Kernel fill = graphing.load("elementwise", PtxText.read("elementwise")).kernel("fill_b32");
        int before = driver.allocations();
        long[] addresses = {graphing.allocate(4 * SIZE), graphing.allocate(4 * SIZE)};
        LaunchArguments arguments = new LaunchArguments();
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 10; i++) {
                graphing.launch(fill, LaunchGrid.of(1, 256), 0, arguments.clear().i64(addresses[0]).i64(i).i64(SIZE), stream);
            }
            graphing.synchronize(stream);
        }
        assertEquals(before + 3, driver.allocations(), "two blocks and a graph");
        graphing.free(addresses[1]);
        assertEquals(before + 1, driver.allocations());
        graphing.free(addresses[0]);
    }

    @Test void streamsAreKeptApart() {
        CudaDriver graphing = new GraphingDriver(driver, notices::add);
        CudaDriver.Stream[] streams = {graphing.createStream(), graphing.createStream()};
        CudaDriver.Kernel fill = graphing.load("elementwise", PtxText.read("elementwise")).kernel("fill_b32");
        long address = graphing.allocate(4 * SIZE);
        LaunchArguments arguments = new LaunchArguments();
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 20; i++) {
                graphing.launch(fill, LaunchGrid.of(1, 256), 0, arguments.clear().i64(address).f64(i).i64(SIZE), streams[i % 2]);
            }
        }
        assertEquals(60, driver.submissions(), "launches in turns on two streams have no stretches");
        graphing.free(address);
    }
}
