package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Backend;
import dev.retrograd.core.Precision;
import dev.retrograd.core.cpu.CpuBackend;
import dev.retrograd.trainer.check.Finding;
import dev.retrograd.trainer.check.KernelCheck;
import dev.retrograd.trainer.check.KernelRates;
import dev.retrograd.trainer.check.UNetCheck;
import dev.retrograd.trainer.pretrain.RandomModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gpu-check`: its kernels on the PTX emulator, and what takes a model on the CPU backend in a GPU's place.
class GpuCheckTest {

    @Test void aHostWithoutAGpuGetsOneSentenceAndNoFolder(@TempDir Path folder) {
        assumeTrue(System.getProperty("os.name").equals("Linux") && !Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
        Path output = folder.resolve("check");
        CommandLineRun.of("gpu-check", "--output=" + output).failsWith(ExitCode.FAILED, "cuda: no NVIDIA driver was found (libcuda.so.1); this command needs a GPU");
        CommandLineRun.of("gpu-check", "--device=cpu", "--output=" + output).failsWith(ExitCode.USAGE, "--device: must be a GPU: cuda or cuda:N, got cpu");
        CommandLineRun.of("gpu-check", "--device=emulated", "--cases=[", "--output=" + output).failsWith(ExitCode.USAGE, "--cases: must be a regular expression");
        CommandLineRun.of("gpu-check", "--device=emulated", "--parts=all", "--output=" + output).failsWith(ExitCode.USAGE, "--parts: must be some of kernels, training, full-size, got 'all'");
        assertFalse(Files.exists(output));
    }

    @Test void whatGraphsTakeIsReportedBesideWhatPlansAssume() throws IOException {
        ObjectMapper json = new ObjectMapper();
        assertEquals("graphs of 1024 launches took 8.0 MiB of the device, 8.00 KiB a launch (plans assume 16)",
                TrainingCheck.graphMemory(json.readTree("{\"graph_launches\":1024,\"graph_bytes\":8388608}")));
        assertEquals("no graphs", TrainingCheck.graphMemory(json.readTree("{}")));
    }

    @Test void kernelsRunInEveryPrecisionAndAReportNamesTheDevice(@TempDir Path folder) throws IOException {
        Path output = folder.resolve("check");
        CommandLineRun run = CommandLineRun.of("gpu-check", "--device=emulated", "--parts=kernels", "--cases=matrix linearLayersOfASize (7|13)|softmaxOverRowsOfASize 7|longSums|convolution .*Stride", "--output=" + output);
        run.succeeds();
        assertTrue(run.out().startsWith("device emulated:0 (PTX emulator, compute capability 8.0, 4.0 GiB, driver for CUDA 12.6), seed "), run.out());
        assertTrue(run.out().contains("not checked, products by cuBLAS: cuda: --gemm cublas needs cuBLAS"), run.out());
        assertTrue(run.out().contains("not checked, convolutions by cuDNN: cuda: --conv cudnn needs cuDNN 9 or 8, and none was found"), run.out());
        assertTrue(run.out().contains("not checked, products on warpgroups: cuda: --gemm hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0"), run.out());
        assertTrue(run.out().contains("not checked, convolutions on warpgroups: cuda: --conv hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0"), run.out());
        assertTrue(run.out().contains("not checked, attention on warpgroups: cuda: --attention hopper needs compute capability 9.0 and a driver for CUDA 12.0 or newer, got PTX emulator, compute capability 8.0"), run.out());
        JsonNode report = new ObjectMapper().readTree(output.resolve("report.json").toFile());
        assertTrue(report.get("passed").asBoolean());
        assertTrue(report.get("environment").get("device").asText().contains("PTX emulator"));
        for (Precision p : Precision.values()) {
            assertTrue(report.get("findings").findValuesAsText("section").contains("kernels " + p), "kernels in " + p);
        }
        String text = Files.readString(output.resolve("report.md"));
        assertTrue(text.contains("PTX emulator") && text.contains(" passed, 0 failed"), text);
    }

    @Test void aCaseThatFailsIsReportedAndTheOthersGoOn() {
        List<Finding> findings = new ArrayList<>();
        Finding first = Finding.of("s", "wrong", () -> {
            throw new AssertionError("linear: at [0]\n expected 1");
        });
        Finding second = Finding.of("s", "broken", () -> {
            throw new IllegalStateException("no more");
        });
        findings.add(Finding.of("s", "right", () -> "0.5 s"));
        assertEquals("linear: at [0] expected 1", first.detail());
        assertFalse(first.passed() || second.passed());
        assertTrue(findings.getFirst().passed());
    }

    @Test void shapesOfTheModelAgreeBetweenTwoBackends() {
        List<Finding> findings = new ArrayList<>();
        try (Backend one = new CpuBackend(); Backend other = new CpuBackend()) {
            new KernelCheck(one, other, 1, Pattern.compile("8x4096x77x40|linear 154x768|norms 512|convolution 3x3 64x64x4 |low-rank matrix|GEGLU 512"), false, findings::add).run();
        }
        assertEquals(List.of(), findings.stream().filter(f -> !f.passed()).toList());
        assertEquals(7, findings.size(), () -> findings.stream().map(Finding::name).toList().toString());
        assertTrue(findings.stream().allMatch(f -> f.detail().startsWith("error 0.0e+00")), findings.toString());
    }

    @Test void ratesStandBesideOthers() {
        try (Backend cpu = new CpuBackend()) {
            List<KernelRates.Rate> products = KernelRates.measure(cpu, KernelRates.Kind.PRODUCTS, false);
            assertTrue(KernelRates.beside(products, products, "itself").matches("64x64x64: \\S+ TFLOP/s, 1.00 times itself's \\S+"));
            List<KernelRates.Rate> convolutions = KernelRates.measure(cpu, KernelRates.Kind.CONVOLUTIONS, false);
            assertEquals(List.of("1x8x8x16 to 16", "1x8x8x16 to 16, input gradient"), convolutions.stream().map(KernelRates.Rate::name).toList());
            List<KernelRates.Rate> attention = KernelRates.measure(cpu, KernelRates.Kind.ATTENTION, false);
            assertEquals(List.of("1x64x2x16 to 77 keys", "1x64x2x16 to 77 keys, gradients"), attention.stream().map(KernelRates.Rate::name).toList());
            assertTrue(convolutions.stream().allMatch(r -> r.rate() > 0 && r.rate() < Double.POSITIVE_INFINITY), convolutions.toString());
        }
    }

    @Test void aWholeUNetRunsAndAMiniatureTrainsAsOnTheCpu(@TempDir Path folder) {
        try (Backend cpu = new CpuBackend()) {
            assertTrue(UNetCheck.run(cpu, RandomModel.Arch.TINY).matches("forward .* s, backward .* s, peak of tensors .* GiB as planned"));
        }
        TrainingCheck training = new TrainingCheck("cpu", folder);
        assertTrue(training.miniature(Precision.F32, 1).endsWith("LoRA after 1 updates apart by 0.0e+00 of its norm"));
        assertTrue(training.graphs(Precision.F32, 2).startsWith("the same LoRA after 2 updates, "));
        assertTrue(training.update("tiny", Precision.F32, 2, 1).startsWith("2 steps, 1 differentiated: loss "));
    }
}
