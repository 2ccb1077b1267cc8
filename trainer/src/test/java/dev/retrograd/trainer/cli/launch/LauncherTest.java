package dev.retrograd.trainer.cli.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LauncherTest {

    private static final int JAVA_8_CLASS_FILE = 52;
    private static final List<String> VARIABLES = List.of("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS");

    @TempDir
    private Path folder;

    private int start(List<String> flags, String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
        command.addAll(flags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Launcher.class.getName()));
        command.addAll(List.of(args));
        ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(out().toFile()).redirectError(Redirect.to(err().toFile()));
        builder.environment().put("RETROGRAD_JAVA_HOME", System.getProperty("java.home"));
        return builder.start().waitFor();
    }

    private Path out() {
        return folder.resolve("out");
    }

    private Path err() {
        return folder.resolve("err");
    }

    @ParameterizedTest
    @ValueSource(classes = {Launcher.class, JdkFinder.class, JdkHome.class, ChildJvm.class, StderrFilter.class})
    void anyJavaSince8CanLoadTheLauncher(Class<?> type) throws IOException {
        try (DataInputStream in = new DataInputStream(type.getResourceAsStream(type.getSimpleName() + ".class"))) {
            in.skipNBytes(Integer.BYTES + Short.BYTES); // magic, minor version
            assertEquals(JAVA_8_CLASS_FILE, in.readUnsignedShort());
        }
    }

    @Test
    void missingFlagsAreSuppliedAndGivenOnesKept() throws IOException, InterruptedException {
        assertEquals(0, start(List.of("-Xmx123m"), "info"));
        String info = Files.readString(out());
        assertTrue(info.contains("flags    -XX:+UseSerialGC -Xmx123m --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED\n"), info);
        assertEquals("", Files.readString(err()));
    }

    @Test
    void aCollectorOfTheUsersIsTheOnlyOne() throws IOException, InterruptedException {
        assertEquals(0, start(List.of("-XX:+UseParallelGC"), "info"));
        String info = Files.readString(out());
        assertTrue(info.contains("flags    -XX:+UseParallelGC --add-modules="), info);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-XX:+UseG1GC", "-Xmx1g -XX:+UseZGC -Xms1g", "-XX:-UseSerialGC", "-XX:VMOptionsFile=options", "-XX:Flags=flags", "-Da=b @options"})
    void optionsThatMayChooseACollectorAreSeenByJarAndScript(String options) throws IOException, InterruptedException {
        assertTrue(Launcher.choosesCollector("null " + options + " null"));
        for (String variable : VARIABLES) {
            assertEquals("", collectorOfScript(variable, options), variable);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-Xmx1g -XX:+UseStringDeduplication", "-XX:-UseG1GC", "-XX:+UseDynamicNumberOfGCThreads", "-Duser=a@b"})
    void otherOptionsLeaveTheCollectorToJarAndScript(String options) throws IOException, InterruptedException {
        assertFalse(Launcher.choosesCollector("null " + options + " null"));
        for (String variable : VARIABLES) {
            assertEquals("-XX:+UseSerialGC", collectorOfScript(variable, options), variable);
        }
    }

    /// What the script's function prints if a variable has these options.
    private String collectorOfScript(String variable, String options) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder("bash", "-c", "eval \"$(sed -n '/^collector() {/,/^}/p' ../retrograd)\" && collector");
        VARIABLES.forEach(builder.environment()::remove);
        builder.environment().put(variable, options);
        assertEquals(0, builder.redirectOutput(out().toFile()).redirectError(Redirect.INHERIT).start().waitFor());
        return Files.readString(out());
    }

    @Test
    void aJvmThatHasTheFlagsRunsTheProgramItself() throws IOException, InterruptedException {
        List<String> flags = List.of("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-Dkept=1");
        assertEquals(0, start(flags, "info"));
        String info = Files.readString(out());
        assertTrue(info.contains("flags    --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Dkept=1\n"), info);
    }

    @Test
    void exitCodeAndErrorsComeThrough() throws IOException, InterruptedException {
        assertEquals(2, start(List.of(), "info", "--nosuch"));
        assertEquals("retrograd info: unknown option '--nosuch'; see retrograd info --help\n", Files.readString(err()));
        assertEquals("", Files.readString(out()));
    }
}
