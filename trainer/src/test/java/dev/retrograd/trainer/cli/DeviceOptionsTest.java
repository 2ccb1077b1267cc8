package dev.retrograd.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.retrograd.core.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `--device`. In these tests the PTX emulator is a kind of device, `emulated`, that `auto` does not take.
class DeviceOptionsTest {
    private static final String NO_DRIVER = "cuda: no NVIDIA driver was found (libcuda.so.1)";

    private static void assumeNoGpu() {
        assumeTrue(System.getProperty("os.name").equals("Linux") && !Files.exists(Path.of("/dev/nvidiactl")), "this host has an NVIDIA device");
    }

    @Test void autoTakesTheCpuWhereThereIsNoGpuAndSaysSoInOneLine() {
        assumeNoGpu();
        CommandLineRun run = CommandLineRun.of("verify", Golden.path("rng").toString());
        run.succeeds();
        assertTrue(run.out().lines().findFirst().orElseThrow().matches("device cpu \\(\\d+ threads?\\); \\Q" + NO_DRIVER + "\\E"), run.out());
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

    @ParameterizedTest @ValueSource(strings = {"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999999999", "cpu:1", "auto:0", ""})
    void whatIsNoDeviceIsWrongUsage(String device) {
        CommandLineRun.train("--device=" + device).failsWith(ExitCode.USAGE, "--device: must be auto, cpu, cuda, cuda:N, emulated, emulated:N, got '" + device + "'");
    }

    @Test void everyKindOfDeviceIsListedByInfo() {
        CommandLineRun run = CommandLineRun.of("info");
        run.succeeds();
        assertTrue(run.out().contains("emulated:0 (PTX emulator, compute capability 8.0, 4.0 GiB, driver for CUDA 12.6)"), run.out());
    }

    @Test void theSettingIsStoredAndTheCudaBackendComputes(@TempDir Path folder) throws Exception {
        CommandLineRun run = CommandLineRun.of("verify", "--device=emulated", Golden.path("optim").toString());
        run.succeeds();
        assertEquals("device emulated:0 (PTX emulator, compute capability 8.0, 4.0 GiB, driver for CUDA 12.6)", run.out().lines().findFirst().orElseThrow());
        assertTrue(run.out().strip().endsWith(" passed, 0 failed"), run.out());
        CommandLineRun trained = CommandLineRun.train("--device=cpu", "--output=" + folder.resolve("run"));
        trained.succeeds();
        assertTrue(Files.readString(folder.resolve("run/config.json")).replace(" ", "").contains("\"device\":\"cpu\""));
        assertTrue(Files.readString(folder.resolve("run/environment.json")).contains("cpu ("));
    }
}
