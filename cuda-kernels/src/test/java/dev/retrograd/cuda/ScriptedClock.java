package dev.retrograd.cuda;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

/// A device whose work takes as long as a test says.
final class ScriptedClock {
    private static final int TIMES = 5;
    private final List<Float> millis = new ArrayList<>();

    /// The next work that is measured takes these times, one after the other.
    ScriptedClock then(float... each) {
        for (float f : each) {
            for (int i = 0; i < TIMES; i++) {
                millis.add(i == TIMES / 2 ? f : f + 1);
            }
        }
        return this;
    }

    /// What was said and not asked for.
    List<Float> left() {
        return millis;
    }

    /// The driver, by this clock.
    CudaDriver on(CudaDriver driver) {
        return (CudaDriver) Proxy.newProxyInstance(CudaDriver.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, (_, method, arguments) -> {
            if (method.getName().equals("elapsedMillis")) {
                return millis.removeFirst();
            }
            try {
                return method.invoke(driver, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }
}
