package dev.retrograd.trainer.cli;

import dev.retrograd.trainer.SettingException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/// Everything that goes wrong ends here, as one sentence on the error stream and an exit code.
final class Errors {

    private static final String HINT = "; run it again with --verbose for the stack trace";

    private Errors() {}

    /// A command line that cannot be understood.
    static int onUsage(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        String where = command.getCommandSpec().qualifiedName();
        String sentence = e instanceof UnmatchedArgumentException unmatched
                ? describe(unmatched, where)
                : decapitalised(e.getMessage()) + seeHelp(where);
        print(command, where + ": " + sentence);
        return ExitCode.USAGE;
    }

    private static String describe(UnmatchedArgumentException e, String where) {
        boolean command = !e.isUnknownOption() && !e.getCommandLine().getSubcommands().isEmpty();
        String kind = e.isUnknownOption() ? "option" : command ? "command" : "argument";
        List<String> similar = e.getSuggestions();
        return "unknown " + kind + " '" + e.getUnmatched().getFirst() + "'"
                + (similar.isEmpty() ? seeHelp(where) : "; did you mean " + String.join(" or ", similar) + "?");
    }

    private static String seeHelp(String where) {
        return "; see " + where + " --help";
    }

    /// A command that failed: wrong usage if a setting is to blame. What its own code reports has a message for the user; anything else is a defect and says so.
    static int onFailure(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        return onFailure(e, command);
    }

    /// What went wrong before the command line was parsed, likewise.
    static int onFailure(Exception e, CommandLine command) {
        Main main = (Main) command.getCommandSpec().root().userObject();
        print(command, "retrograd: " + describe(e));
        if (main.verbose()) {
            e.printStackTrace(command.getErr());
        }
        return e instanceof SettingException ? ExitCode.USAGE : ExitCode.FAILED;
    }

    /// The sentence for a failure.
    static String describe(Exception e) {
        return switch (e) {
            case UncheckedIOException unchecked -> describe(unchecked.getCause());
            case FileSystemException file -> describe(file);
            case CharacterCodingException bytes -> "text: must be UTF-8, got other bytes";
            case IOException io when io.getMessage() != null -> oneLine(io.getMessage());
            case IllegalArgumentException argument when argument.getMessage() != null -> oneLine(argument.getMessage());
            case IllegalStateException state when state.getMessage() != null -> oneLine(state.getMessage());
            case UnsupportedOperationException unsupported when unsupported.getMessage() != null ->
                    oneLine(unsupported.getMessage());
            default -> "unexpected " + oneLine(e.toString()) + HINT;
        };
    }

    /// The JDK reports many of these by the file's name alone.
    private static String describe(FileSystemException e) {
        String reason = switch (e) {
            case NoSuchFileException missing -> "no such file or folder";
            case AccessDeniedException denied -> "permission denied";
            case FileAlreadyExistsException exists -> "exists already";
            case NotDirectoryException notFolder -> "is not a folder";
            default -> e.getReason() == null ? e.getClass().getSimpleName() : decapitalised(e.getReason());
        };
        return (e.getFile() == null ? "file system" : e.getFile()) + ": " + oneLine(reason);
    }

    private static void print(CommandLine command, String sentence) {
        command.getErr().println(sentence);
        command.getErr().flush();
    }

    private static String oneLine(String text) {
        return String.join(" ", text.strip().split("\\s*\\R\\s*"));
    }

    /// picocli's messages and the operating system's begin with a capital; here they follow a colon.
    private static String decapitalised(String message) {
        String text = oneLine(message.replace(Settings.SEPARATOR, ","));
        boolean word = text.length() > 1 && Character.isUpperCase(text.charAt(0)) && !Character.isUpperCase(text.charAt(1));
        return word ? Character.toLowerCase(text.charAt(0)) + text.substring(1) : text;
    }
}
