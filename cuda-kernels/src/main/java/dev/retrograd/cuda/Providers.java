package dev.retrograd.cuda;

import dev.retrograd.core.BackendOptions;
import dev.retrograd.core.BackendOptions.Attention;
import dev.retrograd.core.BackendOptions.Convolutions;
import dev.retrograd.core.BackendOptions.Products;
import dev.retrograd.core.Precision;
import dev.retrograd.cuda.VendorLibrary.Wish;
import java.util.Optional;

/// What does products, convolutions and attention beside the kernels for every device; a contest is there where it is to be found out who does.
///
/// @param hopperProducts whether kernels for compute capability 9.0 do; likewise the others
record Providers(boolean hopperProducts, Optional<GemmLibrary> cublas, Optional<Contest> products, boolean hopperConvolutions, Optional<Cudnn> cudnn, Optional<Contest> convolutions,
        boolean hopperAttention, Optional<Contest> attention) {
    static final Providers NONE = new Providers(false, Optional.empty(), Optional.empty(), false, Optional.empty(), Optional.empty(), false, Optional.empty());

    /// NVIDIA's libraries that the host has.
    record Libraries(Optional<VendorLibrary> cublas, Optional<VendorLibrary> cudnn) {
        static final Libraries NONE = new Libraries(Optional.empty(), Optional.empty());

        /// Those that the options let be used; no other is looked for.
        static Libraries of(CudaDriver driver, BackendOptions options) {
            boolean products = Cublas.asked(options.products()).wish() != Wish.NO;
            boolean convolutions = Cudnn.asked(options.convolutions()).wish() != Wish.NO;
            return new Libraries(products ? VendorLibrary.find("cuBLAS", Cublas.files(driver.device().driverVersion())) : Optional.empty(),
                    convolutions ? VendorLibrary.find("cuDNN", Cudnn.files()) : Optional.empty());
        }
    }

    /// @param stream that all is done on
    /// @param choices keeps what contests find out
    /// @throws CudaException if a library was asked for by name and is missing, lacks a function, or refuses to work
    static Providers of(CudaDriver driver, CudaDriver.Stream stream, Precision precision, BackendOptions options, Libraries libraries, KernelChoices choices) {
        boolean tf32 = precision == Precision.TF32;
        Optional<GemmLibrary> cublas = VendorLibrary.open(Cublas.asked(options.products()), libraries.cublas, Cublas.files(driver.device().driverVersion()),
                l -> new Cublas(l, driver, stream, tf32), options.notices());
        Optional<Cudnn> cudnn = Optional.empty();
        boolean ready = false;
        try {
            cudnn = VendorLibrary.open(Cudnn.asked(options.convolutions()), libraries.cudnn, Cudnn.files(), l -> new Cudnn(l, driver, stream, tf32), options.notices());
            ready = true;
        } finally {
            if (!ready) {
                cublas.ifPresent(GemmLibrary::close);
            }
        }
        boolean hopper = Requirements.runsHopper(driver.device());
        boolean products = options.products() == Products.AUTO;
        boolean convolutions = options.convolutions() == Convolutions.AUTO;
        boolean attention = options.attention() == Attention.AUTO;
        return new Providers(options.products() == Products.HOPPER || products && hopper, cublas,
                products ? Optional.of(new Contest("--gemm", driver, stream, choices, options.notices())) : Optional.empty(),
                options.convolutions() == Convolutions.HOPPER || convolutions && hopper, cudnn,
                convolutions ? Optional.of(new Contest("--conv", driver, stream, choices, options.notices())) : Optional.empty(),
                options.attention() == Attention.HOPPER || attention && hopper,
                attention ? Optional.of(new Contest("--attention", driver, stream, choices, options.notices())) : Optional.empty());
    }

    /// Bytes of device memory that the libraries hold.
    long workspaceBytes() {
        return cublas.map(GemmLibrary::workspaceBytes).orElse(0L) + cudnn.map(Cudnn::workspaceBytes).orElse(0L);
    }

    void close() {
        cublas.ifPresent(GemmLibrary::close);
        cudnn.ifPresent(Cudnn::close);
    }
}
