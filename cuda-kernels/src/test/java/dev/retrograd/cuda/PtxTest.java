package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.Test;

/// The checked-in PTX is what its sources compile to, and drivers from CUDA 12.0 on take it.
class PtxTest {
    private static final Path MODULE = Path.of("");

    @Test void everySourceHasItsText() throws IOException {
        List<Path> sources = PtxBuild.sources(MODULE);
        assertFalse(sources.isEmpty());
        for (Path source : sources) {
            String text = PtxText.read(PtxBuild.name(source));
            assertTrue(text.startsWith(PtxBuild.stamp(source)), source + " has changed since its PTX was built: run PtxBuild");
            assertTrue(text.contains(PtxBuild.header(source)), source.toString());
        }
    }

    @Test void numbersOfRegistersArePackedAsDifferencesOfTheirKind() {
        String text = "add.f32 %f7, %f5, %f5; @%p1 ld.u32 %r10, [%rd3+16]; add.f32 %f12, %f7, %f7; mov.u32 %r9, %tid.x; .reg .f32 %f<13>;";
        String packed = "add.f32 %f+7, %f-2, %f+0; @%p+1 ld.u32 %r+10, [%rd+3+16]; add.f32 %f+7, %f-5, %f+0; mov.u32 %r-1, %tid.x; .reg .f32 %f<13>;";
        assertEquals(packed, PtxBuild.packed(text));
        assertEquals(text, PtxText.numbered(packed));
        assertEquals(text, PtxText.numbered(text));
        assertThrows(IllegalArgumentException.class, () -> PtxBuild.packed("%r1 %tid+3"));
    }

    @Test void theSameCompilerGivesTheSameText() throws IOException, InterruptedException {
        Optional<String> compiler = PtxBuild.compiler();
        assumeTrue(compiler.isPresent(), "no nvcc on the path");
        int compared = 0;
        for (Path source : PtxBuild.sources(MODULE)) {
            String text = PtxText.read(PtxBuild.name(source));
            String builtBy = text.lines().skip(1).findFirst().orElseThrow();
            if (builtBy.equals("// " + compiler.get())) {
                assertEquals(text, PtxBuild.compile(source), source.toString());
                compared++;
            }
        }
        assumeTrue(compared > 0, "another nvcc: " + compiler.get());
    }

    @Test void thePtxCompilerOfCuda12TakesEveryTextAndSpillsNoRegister() throws IOException {
        assumeTrue(System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64"), "JCuda's compiler is for Linux on x86-64");
        JNvPTXCompiler.setExceptionsEnabled(true);
        List<Integer> sizes = new ArrayList<>();
        List<KernelUse> use = new ArrayList<>();
        for (Path source : PtxBuild.sources(MODULE)) {
            String ptx = PtxText.read(PtxBuild.name(source));
            byte[] text = (ptx + "\0").getBytes(StandardCharsets.UTF_8);
            nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
            JNvPTXCompiler.nvPTXCompilerCreate(handle, text.length, text);
            JNvPTXCompiler.nvPTXCompilerCompile(handle, 2, new String[] {"--gpu-name=" + PtxBuild.architecture(source), "--verbose"});
            long[] size = new long[1];
            JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize(handle, size);
            sizes.add(Math.toIntExact(size[0]));
            use.addAll(KernelUse.of(ptx, log(handle)));
            List<String> spills = log(handle).lines().filter(l -> l.contains("spill stores")).toList();
            assertEquals(EmulatedDriver.kernels(ptx).size(), spills.size(), source + ": kernels in the compiler's report");
            assertEquals(List.of(), spills.stream().filter(l -> !l.contains(" 0 bytes spill stores, 0 bytes spill loads")).toList(), source.toString());
            JNvPTXCompiler.nvPTXCompilerDestroy(handle);
        }
        assertTrue(sizes.stream().allMatch(s -> s > 1000), sizes.toString());
        assertTrue(use.size() > 400, "reports on kernels, got " + use.size());
        for (Multiprocessor m : Multiprocessor.values()) {
            assertEquals(List.of(), use.stream().filter(k -> (m == Multiprocessor.SM_90 || !PtxText.hopper(k.name())) && k.blocks(m) < 1).toList(), "kernels that fit no multiprocessor of " + m);
        }
    }

    /// What the compiler has to say of each kernel: registers, shared memory, spills.
    private static String log(nvPTXCompilerHandle handle) {
        long[] bytes = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(handle, bytes);
        byte[] log = new byte[Math.toIntExact(bytes[0]) + 1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLog(handle, log);
        return new String(log, StandardCharsets.UTF_8);
    }
}
