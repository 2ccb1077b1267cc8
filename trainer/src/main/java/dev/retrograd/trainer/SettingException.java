package dev.retrograd.trainer;

import java.util.function.Supplier;

/// A setting has a value that it cannot have: by itself, beside the other settings, or for this model. The command line counts it as wrong usage.
public final class SettingException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    /// @param message `<flag>: <what is required>, got <what came>`
    public SettingException(String message) {
        super(message);
    }

    private SettingException(String message, Throwable cause) {
        super(message, cause);
    }

    /// Refuses a value unless it is allowed; every `double` is shown as it was read.
    ///
    /// @throws SettingException if it is not
    public static void require(boolean holds, String flag, String allowed, Object got) {
        if (!holds) {
            throw new SettingException(flag + ": must be " + allowed + ", got " + got);
        }
    }

    /// Makes something of a setting's value. What refuses it calls it by a name of its own, which the flag replaces.
    ///
    /// @throws SettingException if the value is refused by an `IllegalArgumentException`
    public static <T> T named(String flag, Supplier<T> made) {
        try {
            return made.get();
        } catch (SettingException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new SettingException(flag + ": " + e.getMessage().replaceFirst("^[\\p{Alnum} ]+: ", ""), e);
        }
    }
}
