package dev.retrograd.cuda;

import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.DType;
import dev.retrograd.cuda.GemmLibrary.Gemm;
import dev.retrograd.cuda.GemmLibrary.Matrix;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/// Matrix products that a vendor's library does instead of our kernels: all that it can where it was asked for, under `auto` those of a shape at which it
/// was faster when that came for the first time. It can do plain products and such as add to what is there, of operands of one type; whatever has an epilogue
/// (bias, activation, residual, low-rank update) or operands of two types is ours.
final class VendorProducts implements AutoCloseable {
    private static final String LIBRARY = "cublas";
    private static final String OURS = "ptx";

    private final GemmLibrary library;
    private final Products wanted;
    private final CudaDriver driver;
    private final CudaDriver.Stream stream;
    private final Stopwatch stopwatch;
    private final KernelChoices choices;
    private final Map<Gemm, Boolean> chosen = new HashMap<>();

    /// @param library closed with this
    /// @param wanted `AUTO` or `CUBLAS`
    VendorProducts(GemmLibrary library, Products wanted, CudaDriver driver, CudaDriver.Stream stream, KernelChoices choices) {
        this.library = library;
        this.wanted = wanted;
        this.driver = driver;
        this.stream = stream;
        this.choices = choices;
        stopwatch = new Stopwatch(driver, stream);
    }

    long workspaceBytes() {
        return library.workspaceBytes();
    }

    /// Does a product by one of both.
    ///
    /// @param ours does it by our own kernels
    /// @return whether the library did it
    boolean product(Gemm g, Runnable ours) {
        boolean possible = g.a().type() == g.b().type() && (g.c().type() == g.a().type() || g.c().type() == DType.F32) && Cublas.takes(g.a().type()) && g.k() > 0;
        if (possible && (wanted == Products.CUBLAS || faster(g, ours))) {
            library.gemm(g);
            return true;
        }
        ours.run();
        return false;
    }

    private boolean faster(Gemm g, Runnable ours) {
        Gemm anywhere = new Gemm(g.m(), g.n(), g.k(), g.batch(), 1, nowhere(g.a()), nowhere(g.b()), nowhere(g.c()), g.accumulate());
        Boolean known = chosen.get(anywhere);
        if (known == null) {
            known = choices.choose(g.shape(), c -> c.equals(LIBRARY) || c.equals(OURS), () -> measure(g, ours)).equals(LIBRARY);
            chosen.put(anywhere, known);
        }
        return known;
    }

    private static Matrix nowhere(Matrix x) {
        return new Matrix(0, x.type(), x.transposed(), x.columns(), x.stride());
    }

    /// Both do the product several times; what it adds to is put back.
    private String measure(Gemm g, Runnable ours) {
        OptionalLong copy = OptionalLong.empty();
        long bytes = (long) g.m() * g.n() * g.batch() * g.c().type().bytes();
        if (g.accumulate()) {
            copy = OptionalLong.of(driver.allocate(bytes));
            driver.copyOnDevice(g.c().address(), copy.getAsLong(), bytes, stream);
        }
        double own = stopwatch.millis(ours);
        double theirs = stopwatch.millis(() -> library.gemm(g));
        copy.ifPresent(from -> {
            driver.copyOnDevice(from, g.c().address(), bytes, stream);
            driver.synchronize(stream);
            driver.free(from);
        });
        return theirs < own ? LIBRARY : OURS;
    }

    @Override public void close() {
        library.close();
    }
}
