package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.retrograd.core.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `--device` and `--precision`. In these tests the PTX emulator is a kind of device, `emulated`, and so are `hopper` and `libraries`, which `auto` does not take.
class DeviceOptionsTest {
    private static final String NO_DRIVER = "cuda: no NVIDIA driver was found (libcuda.so.1)";

    private static void assumeNoGpu() {
        assumeTrue(System.getProperty("os.name").equals("Linux") && !Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
    }

    @Test void autoTakesTheCpuWhereThereIsNoGpuAndSaysSoInOneLine() {
        assumeNoGpu();
        CommandLineRun run = CommandLineRun.of("verify", Golden.path("rng").toString());
        run.succeeds();
        assertTrue(run.out().lines().findFirst().orElseThrow().matches("device cpu \\(\\d+ threads?\\), f32; \\Q" + NO_DRIVER + "\\E"), run.out());
    }

    @Test void optionsThatOnlyAGpuReadsAreNamedOnTheCpu() {
        CommandLineRun run = CommandLineRun.of("verify", "--device=cpu", "--conv=cudnn", "--attention=auto", "--cuda-graphs=off", "--gemm=ptx", Golden.path("rng").toString());
        run.succeeds();
        assertTrue(run.out().lines().findFirst().orElseThrow().endsWith(", f32; only a GPU reads --cuda-graphs, --conv, --attention"), run.out());
    }

    @Test void aGpuThatWasAskedForAndIsNotThereFailsBeforeAnythingIsWritten(@TempDir Path folder) {
        assumeNoGpu();
        Path output = folder.resolve("run");
        for (String device : new String[] {"cuda", "cuda:1"}) {
            CommandLineRun.train("--device=" + device, "--output=" + output).failsWith(ExitCode.FAILED, NO_DRIVER + "; use --device cpu");
        }
        CommandLineRun.of("sample", "--device=cuda", "--prompt=a", "--output=" + output).failsWith(ExitCode.FAILED, NO_DRIVER);
        CommandLineRun.of("fit-reward", "--device=cuda", "--prompt=a", "--output=" + output.resolve("head")).failsWith(ExitCode.FAILED, NO_DRIVER);
        CommandLineRun.of("pretrain", "--device=cuda", "--output=" + output).failsWith(ExitCode.FAILED, NO_DRIVER);
        CommandLineRun.of("verify", "--device=cuda", Golden.path("rng").toString()).failsWith(ExitCode.FAILED, NO_DRIVER);
        assertFalse(Files.exists(output));
    }

    @Test void aDeviceThatTheHostLacksFailsInOneSentence(@TempDir Path folder) {
        CommandLineRun.train("--device=emulated:7", "--output=" + folder.resolve("run")).failsWith(ExitCode.FAILED, "emulated: this host has emulated:0 to emulated:1, got emulated:7; use --device cpu");
        assertFalse(Files.exists(folder.resolve("run")));
    }

    @Test void anUpdateThatDoesNotFitIntoTheDeviceSaysWhatToChange(@TempDir Path folder) {
        CommandLineRun run = CommandLineRun.train("--device=emulated", "--model=" + Golden.path("ci-sd/model"), "--batch-size=8192", "--micro-batch-size=8192", "--height=64", "--width=64",
                "--sample-every=0", "--sample-images=1", "--output=" + folder.resolve("run"));
        run.failsWith(ExitCode.FAILED, "micro-batch: no room for 'block of all its tensors': ");
        assertTrue(run.err().strip().endsWith("; lower --micro-batch-size, --memory, the differentiated steps (--truncation) or the image size"), run.err());
    }

    @ParameterizedTest @ValueSource(strings = {"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999999999", "cpu:1", "auto:0", ""})
    void whatIsNoDeviceIsWrongUsage(String device) {
        CommandLineRun.train("--device=" + device).failsWith(ExitCode.USAGE, "--device: must be auto, cpu, cuda, cuda:N, emulated, emulated:N, hopper, hopper:N, libraries, libraries:N, got '" + device + "'");
    }

    @Test void everyKindOfDeviceIsListedByInfo() {
        CommandLineRun run = CommandLineRun.of("info");
        run.succeeds();
        assertTrue(run.out().contains("emulated:0 (PTX emulator, compute capability 8.0, 4.0 GiB, driver for CUDA 12.6): bf16 unless told otherwise, fp16, tf32, f32"), run.out());
        assertTrue(run.out().lines().anyMatch(l -> l.matches("devices +cpu \\(.*\\): f32")), run.out());
    }

    @Test void theCpuComputesInFloat32Only(@TempDir Path folder) {
        assumeNoGpu();
        Path output = folder.resolve("run");
        for (String precision : new String[] {"bf16", "fp16", "tf32"}) {
            CommandLineRun.train("--device=cpu", "--precision=" + precision, "--output=" + output).failsWith(ExitCode.USAGE, "--precision: must be auto or f32 on the device cpu, got " + precision);
        }
        CommandLineRun.of("sample", "--precision=bf16", "--prompt=a", "--output=" + output).failsWith(ExitCode.USAGE, "on the device cpu; " + NO_DRIVER + ", got bf16");
        CommandLineRun.of("plan", "--precision=fp16").failsWith(ExitCode.USAGE, "--precision: must be auto or f32 on the device cpu, got fp16");
        CommandLineRun.of("verify", "--precision=tf32", Golden.path("rng").toString()).failsWith(ExitCode.USAGE, "--precision: must be auto or f32");
        assertFalse(Files.exists(output));
    }

    @ParameterizedTest @ValueSource(strings = {"f16", "int8", "32", ""})
    void whatIsNoPrecisionIsWrongUsage(String precision) {
        CommandLineRun.train("--precision=" + precision).failsWith(ExitCode.USAGE, "--precision: must be auto, bf16, fp16, tf32, f32, got '" + precision + "'");
    }

    @Test void aLibraryThatWasAskedForAndIsNotThereIsNamed(@TempDir Path folder) {
        assumeNoGpu();
        Path output = folder.resolve("run");
        CommandLineRun.train("--device=emulated", "--gemm=cublas", "--output=" + output).failsWith(ExitCode.FAILED,
                "cuda: --gemm cublas needs cuBLAS of this driver's CUDA, and none was found (libcublas.so.12); put its folder into LD_LIBRARY_PATH, or use --gemm ptx");
        CommandLineRun.train("--device=cpu,cpu", "--gemm=auto", "--output=" + output).failsWith(ExitCode.USAGE, "--gemm: must be ptx, hopper or cublas on several devices, which must all choose alike, got auto");
        CommandLineRun.train("--device=emulated", "--conv=cudnn", "--output=" + output).failsWith(ExitCode.FAILED,
                "cuda: --conv cudnn needs cuDNN 9 or 8, and none was found (libcudnn.so.9, libcudnn.so.8); put its folder into LD_LIBRARY_PATH, or use --conv ptx");
        CommandLineRun.train("--device=cpu,cpu", "--conv=auto", "--output=" + output).failsWith(ExitCode.USAGE, "--conv: must be ptx, hopper or cudnn on several devices, which must all choose alike, got auto");
        CommandLineRun.train("--device=cpu,cpu", "--attention=auto", "--output=" + output).failsWith(ExitCode.USAGE, "--attention: must be ptx or hopper on several devices, which must all choose alike, got auto");
        CommandLineRun.train("--device=cpu,cpu", "--tiles=measured", "--output=" + output).failsWith(ExitCode.USAGE, "--tiles: must be auto or table on several devices, which must all choose alike, got measured");
        CommandLineRun.train("--gemm=mkl", "--output=" + output).failsWith(ExitCode.USAGE, "--gemm");
        CommandLineRun.train("--attention=mkl", "--output=" + output).failsWith(ExitCode.USAGE, "--attention");
        CommandLineRun.train("--conv=mkl", "--output=" + output).failsWith(ExitCode.USAGE, "--conv");
        CommandLineRun.train("--cuda-graphs=maybe", "--output=" + output).failsWith(ExitCode.USAGE, "--cuda-graphs");
        assertFalse(Files.exists(output));
    }

    @Test void aPlanIsForThePrecisionThatTheDeviceWouldTake() throws Exception {
        long bf16 = plannedBytes("cuda, bf16", "--device=cuda");
        assertEquals(bf16, plannedBytes("cuda, fp16", "--device=cuda", "--precision=fp16"));
        long f32 = plannedBytes("cuda, f32", "--device=cuda:3", "--precision=F32");
        assertEquals(f32, plannedBytes("cuda, tf32", "--device=cuda", "--precision=tf32"));
        assertEquals(f32, plannedBytes("cpu, f32"));
        assertTrue(bf16 < 0.7 * f32, bf16 + " in bf16, " + f32 + " in f32");
    }

    private static long plannedBytes(String device, String... flags) throws Exception {
        List<String> all = new ArrayList<>(List.of("plan", "--json", "--flops=1", "--bandwidth=1", "--depth=0", "--diversity-prompts=0"));
        all.addAll(List.of(flags));
        CommandLineRun run = CommandLineRun.of(all.toArray(String[]::new));
        run.succeeds();
        JsonNode plan = new ObjectMapper().readTree(run.out());
        assertEquals(device, plan.get("device").asText());
        return plan.get("peak_bytes").get("tensors").asLong();
    }

    @Test void theSettingIsStoredAndTheCudaBackendComputes(@TempDir Path folder) throws Exception {
        CommandLineRun run = CommandLineRun.of("verify", "--device=emulated", Golden.path("optim").toString());
        run.succeeds();
        assertEquals("device emulated:0 (PTX emulator, compute capability 8.0, 4.0 GiB, driver for CUDA 12.6), f32", run.out().lines().findFirst().orElseThrow());
        assertTrue(run.out().strip().endsWith(" passed, 0 failed"), run.out());
        CommandLineRun trained = CommandLineRun.train("--device=cpu", "--precision=f32", "--output=" + folder.resolve("run"));
        trained.succeeds();
        CommandLineRun.train("--resume=" + folder.resolve("run"), "--updates=2").succeeds();
        assertTrue(Files.readString(folder.resolve("run/config.json")).replace(" ", "").contains("\"device\":\"cpu\""));
        assertTrue(Files.readString(folder.resolve("run/config.json")).replace(" ", "").contains("\"precision\":\"f32\""));
        assertTrue(Files.readString(folder.resolve("run/environment.json")).matches("(?s).*cpu \\(.*\\), f32.*"));
    }
}
