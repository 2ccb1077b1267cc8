package dev.retrograd.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.cuda.KernelUse.Multiprocessor;
import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What ptxas says of the kernels for compute capability 9.0, where it is at hand. {@link PtxTest} has the compiler of CUDA 12.0 say it, too.
class HopperPtxTest {
    /// Of 384 threads that share 65536.
    private static final int REGISTERS = 168;
    private static final int WARPGROUP = 128;

    private static boolean hasPtxas() throws InterruptedException {
        try {
            return !PtxBuild.run("ptxas", "--version").isEmpty();
        } catch (IOException e) {
            return false;
        }
    }

    @Test void nothingIsSpilledAndProductsStayAsynchronous(@TempDir Path folder) throws IOException, InterruptedException {
        assumeTrue(hasPtxas(), "no ptxas on the path");
        List<String> modules = PtxBuild.sources(Path.of("")).stream().map(PtxBuild::name).filter(PtxText::hopper).toList();
        assertEquals(List.of("attention_sm90_bf16", "attention_sm90_f16", "convolution_sm90_bf16", "convolution_sm90_f16", "matmul_sm90_bf16", "matmul_sm90_f16"), modules);
        for (String module : modules) {
            Path text = Files.writeString(folder.resolve(module + ".ptx"), PtxText.read(module));
            String log = PtxBuild.run("ptxas", "-arch=sm_90a", "-v", "-o", folder.resolve(module + ".cubin").toString(), text.toString());
            assertFalse(log.contains("wgmma.mma_async instructions are serialized") || log.contains("setmaxnreg"), log);
            List<KernelUse> kernels = KernelUse.of(PtxText.read(module), log);
            assertEquals(EmulatedDriver.kernels(PtxText.read(module)).size(), kernels.size(), log);
            for (KernelUse k : kernels) {
                assertEquals(0, k.spilledBytes(), k.name());
                assertTrue(k.registers() <= REGISTERS, k.name() + ": " + k.registers() + " registers");
                assertEquals(Ring.BLOCKS_PER_MULTIPROCESSOR, k.blocks(Multiprocessor.SM_90), k.name());
                assertTrue(redistributed(module, k.name()) <= k.registers() * k.threads(), k.name());
            }
        }
    }

    /// Registers of a block after its warpgroup of copies has given some away, and its two of products have taken more.
    private static int redistributed(String module, String kernel) {
        String text = PtxText.read(module);
        String body = text.substring(text.indexOf(".entry " + kernel + "("));
        return WARPGROUP * (limit(body, "dec") + 2 * limit(body, "inc"));
    }

    private static int limit(String body, String direction) {
        Matcher m = Pattern.compile("setmaxnreg\\." + direction + "\\.sync\\.aligned\\.u32 (\\d+)").matcher(body);
        assertTrue(m.find(), direction);
        return Integer.parseInt(m.group(1));
    }
}
