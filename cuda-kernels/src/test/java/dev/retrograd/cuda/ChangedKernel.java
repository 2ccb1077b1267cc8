package dev.retrograd.cuda;

import dev.retrograd.cuda.emulator.EmulatedDriver;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.UnaryOperator;

/// Plants bugs into kernels that are shipped: changes their text on its way to the emulator.
final class ChangedKernel {
    private ChangedKernel() {
    }

    /// A driver that changes the text of a module as it is loaded.
    static CudaDriver driver(EmulatedDriver driver, String module, UnaryOperator<String> change) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            if (method.getName().equals("load") && arguments[0].equals(module)) {
                arguments[1] = change.apply((String) arguments[1]);
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    /// Where the so-manieth use of an instruction by a kernel begins.
    static int find(String text, String kernel, String instruction, int index) {
        int at = text.indexOf(".entry " + kernel + "(");
        for (int i = 0; i <= index; i++) {
            at = text.indexOf(instruction, at + 1);
            if (at < 0) {
                throw new IllegalArgumentException(kernel + ": " + (index + 1) + " uses of " + instruction + " are required, got " + i);
            }
        }
        return at;
    }

    /// The text with something else in place of the so-manieth use of an instruction by a kernel, or with nothing.
    static String changed(String text, String kernel, String instruction, int index, String by) {
        int at = find(text, kernel, instruction, index);
        return text.substring(0, at) + by + text.substring(text.indexOf(';', at) + (by.isEmpty() ? 1 : 0));
    }
}
