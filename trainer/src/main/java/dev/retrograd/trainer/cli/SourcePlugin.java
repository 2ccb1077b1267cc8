package dev.retrograd.trainer.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/// A plugin that is one Java source file, compiled by the JDK that runs the program, against the program's own classes; nothing is written.
final class SourcePlugin {

    private SourcePlugin() {
    }

    /// The classes that a file declares, nested ones included.
    ///
    /// @throws IOException if it is missing, does not compile (naming the first error's line), or Java comes without a compiler
    static List<Class<?>> compile(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + ": a Java source file is required, but " + (Files.exists(file) ? "this is none" : "there is none"));
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw new IOException(file + ": compiling it takes a JDK, got a Java without a compiler; use a jar of its classes");
        }
        DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
        try (StandardJavaFileManager standard = compiler.getStandardFileManager(problems, Locale.ROOT, StandardCharsets.UTF_8); InMemory classes = new InMemory(standard)) {
            List<String> options = List.of("-classpath", System.getProperty("java.class.path"), "-proc:none");
            boolean done = compiler.getTask(null, classes, problems, options, null, standard.getJavaFileObjects(file)).call();
            if (!done) {
                throw new IOException(problems.getDiagnostics().stream().filter(d -> d.getKind() == Diagnostic.Kind.ERROR).findFirst()
                        .map(d -> file + ": line " + d.getLineNumber() + " does not compile: " + d.getMessage(Locale.ROOT).replaceAll("\\s*\\R\\s*", " "))
                        .orElse(file + ": does not compile"));
            }
            return classes.load();
        }
    }

    /// Keeps what the compiler writes.
    private static final class InMemory extends ForwardingJavaFileManager<JavaFileManager> {
        private final Map<String, ByteArrayOutputStream> written = new LinkedHashMap<>();

        InMemory(JavaFileManager standard) {
            super(standard);
        }

        @Override public JavaFileObject getJavaFileForOutput(Location location, String className, JavaFileObject.Kind kind, FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("memory:///" + className.replace('.', '/') + kind.extension), kind) {
                @Override public OutputStream openOutputStream() {
                    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                    written.put(className, bytes);
                    return bytes;
                }
            };
        }

        List<Class<?>> load() throws IOException {
            ClassLoader loader = new Compiled(written);
            List<Class<?>> classes = new ArrayList<>();
            try {
                for (String name : written.keySet()) {
                    classes.add(Class.forName(name, false, loader));
                }
            } catch (ClassNotFoundException | LinkageError e) {
                throw new IOException("plugin: its classes must load, got " + e, e);
            }
            return classes;
        }
    }

    /// Defines classes from their bytes.
    private static final class Compiled extends ClassLoader {
        private final Map<String, ByteArrayOutputStream> classes;

        Compiled(Map<String, ByteArrayOutputStream> classes) {
            super(SourcePlugin.class.getClassLoader());
            this.classes = Map.copyOf(classes);
        }

        @Override protected Class<?> findClass(String name) throws ClassNotFoundException {
            ByteArrayOutputStream bytes = classes.get(name);
            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, bytes.toByteArray(), 0, bytes.size());
        }
    }
}
