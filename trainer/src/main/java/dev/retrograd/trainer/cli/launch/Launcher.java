package dev.retrograd.trainer.cli.launch;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Main class of {@code trainer.jar}: runs the program in this JVM if it is a JDK 25 with the flags that the program needs, else in
 * a child JVM on a JDK 25 found on this machine. (A manifest cannot add modules, and Java cannot replace its own process.)
 */
public final class Launcher {

    private static final String MAIN = "dev.retrograd.trainer.cli.Main";
    /** Tensors lie outside the heap; the default collector would let what the first seconds leave behind grow to a gigabyte before it looks at it. */
    private static final String COLLECTOR = "-XX:+UseSerialGC";

    private Launcher() {}

    public static void main(String[] args) throws ReflectiveOperationException, InterruptedException {
        if (thisJvmSuffices()) {
            runHere(args);
        } else {
            System.exit(runInChild(args));
        }
    }

    private static boolean thisJvmSuffices() {
        if (JdkHome.featureOf(System.getProperty("java.specification.version")) < JdkHome.REQUIRED) {
            return false;
        }
        try {
            Class.forName("jdk.incubator.vector.Vector", false, null);
            Object module = Class.class.getMethod("getModule").invoke(Launcher.class);
            return (Boolean) module.getClass().getMethod("isNativeAccessEnabled").invoke(module);
        } catch (ReflectiveOperationException flagsMissing) {
            return false;
        }
    }

    private static void runHere(String[] args) throws ReflectiveOperationException {
        Method main = Class.forName(MAIN).getMethod("main", String[].class);
        try {
            main.invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            throw new IllegalStateException("the program ended unexpectedly", e.getCause());
        }
    }

    private static int runInChild(String[] args) throws InterruptedException {
        try {
            return ChildJvm.run(command(JdkFinder.ofThisMachine().find(), args));
        } catch (JdkFinder.NoJdkException | IOException e) {
            System.err.println("retrograd: " + e.getMessage());
            return 1;
        }
    }

    private static List<String> command(JdkHome jdk, String[] args) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(jdk.java().toString());
        List<String> given = jvmArguments();
        if (!choosesCollector(String.join(" ", given) + " " + System.getenv("JDK_JAVA_OPTIONS") + " " + System.getenv("JAVA_TOOL_OPTIONS") + " " + System.getenv("_JAVA_OPTIONS"))) {
            command.add(COLLECTOR);
        }
        command.addAll(given);
        command.addAll(Arrays.asList("--add-modules", JdkHome.VECTOR_MODULE, "--enable-native-access=ALL-UNNAMED"));
        Path self = Paths.get("/proc/self");
        if (self.toFile().exists()) {
            command.add("-Dretrograd.parent=" + self.toRealPath().getFileName());
        }
        command.addAll(Arrays.asList("-cp", System.getProperty("java.class.path"), MAIN));
        command.addAll(Arrays.asList(args));
        return command;
    }

    /** Two collectors are an error to a JVM, so the user's choice is the only one, also where it may be in a file that the options name. */
    static boolean choosesCollector(String options) {
        return Pattern.compile("-XX:([+]Use\\w+GC|-UseSerialGC)\\b|-XX:(Flags|VMOptionsFile)=|(^|\\s)@").matcher(options).find();
    }

    /** What the user gave this JVM, {@code -Xmx} for example; a debugger's port can be taken only once. */
    private static List<String> jvmArguments() {
        List<String> arguments = new ArrayList<>(ManagementFactory.getRuntimeMXBean().getInputArguments());
        arguments.removeIf(argument -> argument.startsWith("-agentlib:jdwp"));
        return arguments;
    }
}
