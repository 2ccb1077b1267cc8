package dev.retrograd.trainer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.Golden;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The programs in `docs/` compile as they stand, and print what the guide says.
class GuidesTest {
    private static final Pattern JAVA = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL);
    private static final Pattern OUTPUT = Pattern.compile("```text\\n(.*?)```", Pattern.DOTALL);
    private static final Pattern NAME = Pattern.compile("public (?:final class|record) (\\w+)");

    @TempDir private Path temp;

    @ParameterizedTest
    @CsvSource({"tensors.md,", "reward.md,", "operator.md,", "kernel.md,", "sampling.md,ci-sd/model", "checkpoints.md,ci-sd/model/unet/diffusion_pytorch_model.safetensors"})
    void aGuidesProgramPrintsWhatTheGuideSays(String guide, String file) throws IOException, ReflectiveOperationException {
        String text = Files.readString(Golden.repository().resolve("docs").resolve(guide));
        String name = compile(first(JAVA, text));
        String[] args = file == null ? new String[0] : new String[] {Golden.path(file).toString(), temp.toString()};
        assertEquals(first(OUTPUT, text), run(name, args));
    }

    private static String first(Pattern block, String text) {
        Matcher found = block.matcher(text);
        assertTrue(found.find(), "a block " + block + " is required");
        return found.group(1);
    }

    private String compile(String source) {
        String name = first(NAME, source);
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        JavaFileObject unit = new SimpleJavaFileObject(URI.create("string:///" + name + ".java"), JavaFileObject.Kind.SOURCE) {
            @Override public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return source;
            }
        };
        StringWriter messages = new StringWriter();
        List<String> options = List.of("-d", temp.toString(), "--add-modules", "jdk.incubator.vector", "-Xlint:all,-classfile,-path,-processing,-incubating", "-Werror", "-proc:none", "-classpath", System.getProperty("java.class.path"));
        assertTrue(compiler.getTask(messages, null, null, options, null, List.of(unit)).call(), messages.toString());
        return name;
    }

    private String run(String name, String... args) throws IOException, ReflectiveOperationException {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream before = System.out;
        try (URLClassLoader loader = new URLClassLoader(new URL[] {temp.toUri().toURL()}); PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8)) {
            System.setOut(out);
            loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            throw new AssertionError(name + " failed: " + e.getCause(), e.getCause());
        } finally {
            System.setOut(before);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
