package dev.retrograd.rewards;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.autograd.Gradients;
import dev.retrograd.autograd.Segment;
import dev.retrograd.autograd.Tape;
import dev.retrograd.autograd.Var;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Shape;
import dev.retrograd.core.Spec;
import dev.retrograd.core.Tensor;
import dev.retrograd.core.reference.ReferenceBackend;
import dev.retrograd.core.testing.CentralDifferences;
import dev.retrograd.core.testing.Close;
import dev.retrograd.core.testing.RandomValues;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DifferentiableJpegTest {

    @Test
    void coefficientsOfAFlatImageAreItsDistanceFromMidGrey() {
        try (ReferenceBackend backend = new ReferenceBackend(); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            DifferentiableJpeg jpeg = new DifferentiableJpeg(backend, JpegSettings.DDPO);
            Tensor red = backend.zeros("red", Spec.f32(1, 16, 16, 3));
            double[] values = new double[16 * 16 * 3];
            for (int i = 0; i < values.length; i += 3) {
                values[i] = 1;
            }
            backend.set(red, values);
            Var c = jpeg.coefficients(tape.constant(red));
            assertEquals(Shape.of(1, 1, 6, 64), c.shape());
            double[] expected = new double[6 * 64];
            // Eight times the level over the steps of quality 95, which are 2 for every DC; JFIF: Y 76.245, Cb −43.028, Cr 127.5.
            for (int block = 0; block < 4; block++) {
                expected[block * 64] = 8 * (76.245 - 128) / 2;
            }
            expected[4 * 64] = 8 * -43.0276 / 2;
            expected[5 * 64] = 8 * 127.5 / 2;
            Close.elements("coefficients", expected, backend.toDoubles(c.value()), 1e-3, 0);
        }
    }

    @ParameterizedTest
    @CsvSource({"64, 64, 95, HALF, 44", "64, 96, 75, HALF, 38", "64, 64, 95, FULL, 44", "43, 70, 95, HALF, 44", "64, 64, 25, HALF, 36"})
    void roundTripAgreesWithTheEncodersAndDecodersOnSmoothImages(int height, int width, int quality, JpegSettings.Chroma chroma, double required) throws IOException {
        JpegSettings settings = new JpegSettings(quality, chroma);
        PixelBatch images = TestImages.smooth(8, 4, height, width);
        double[] ours;
        try (ReferenceBackend backend = new ReferenceBackend(); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
            Var x = tape.constant(backend.floats("pixels", images.shape(), images.pixels()));
            Var y = new DifferentiableJpeg(backend, settings).roundTrip(x);
            assertEquals(images.shape(), y.shape());
            ours = backend.toDoubles(y.value());
        }
        double least = Double.POSITIVE_INFINITY;
        for (int i = 0; i < images.batch(); i++) {
            double[] theirs = decoded(JpegFileSize.encode(images, i, settings));
            double squares = 0;
            for (int j = 0; j < theirs.length; j++) {
                squares += Math.pow(theirs[j] - ours[i * theirs.length + j], 2) / theirs.length;
            }
            double psnr = -10 * Math.log10(squares);
            assertTrue(psnr >= required, "PSNR " + psnr + " dB");
            least = Math.min(least, psnr);
        }
        System.out.println(String.format(Locale.ROOT, "JPEG round trip, smooth pictures of %d×%d, quality %d, chroma %s: at least %.1f dB", height, width, quality, chroma, least));
    }

    private static double[] decoded(byte[] file) throws IOException {
        BufferedImage image = ImageIO.read(new ByteArrayInputStream(file));
        double[] pixels = new double[image.getHeight() * image.getWidth() * 3];
        for (int i = 0; i < pixels.length; i++) {
            int at = i / 3;
            int rgb = image.getRGB(at % image.getWidth(), at / image.getWidth());
            pixels[i] = (rgb >>> 16 - 8 * (i % 3) & 0xFF) / 255.0;
        }
        return pixels;
    }

    @ParameterizedTest
    @CsvSource({"16, 16, HALF", "13, 18, HALF", "9, 8, FULL"})
    void gradientOfTheRoundTripIsThatOfCentralDifferences(int height, int width, JpegSettings.Chroma chroma) {
        Shape shape = Shape.of(1, height, width, 3);
        double[] dy = new RandomValues(9).normalDoubles(shape.elements());
        try (ReferenceBackend backend = new ReferenceBackend()) {
            DifferentiableJpeg jpeg = new DifferentiableJpeg(backend, new JpegSettings(95, chroma));
            double[] pixels = SmoothPoint.pixels(backend, jpeg, shape);
            double[] numeric = CentralDifferences.gradient(x -> {
                try (Scope _ = backend.memory().open("moved"); Tape tape = new Tape(backend, Segment.Policy.STORE_ALL)) {
                    return backend.toDoubles(jpeg.roundTrip(tape.constant(SmoothPoint.tensor(backend, shape, x))).value());
                }
            }, pixels, dy);
            try (Tape tape = new Tape(backend, Segment.Policy.STORE_ALL); Gradients gradients = new Gradients(backend)) {
                Var x = tape.input(SmoothPoint.tensor(backend, shape, pixels));
                tape.backward(jpeg.roundTrip(x), SmoothPoint.tensor(backend, shape, dy), gradients);
                Close.relativeL2("dpixels", numeric, backend.toDoubles(gradients.of(x).orElseThrow()), 1e-5);
            }
        }
    }

    @Test
    void zigzagVisitsEveryFrequencyOnceInTheStandardsOrder() {
        assertEquals(64, Arrays.stream(QuantTables.ZIGZAG).distinct().count());
        int[] start = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24};
        assertEquals(Arrays.toString(start), Arrays.toString(Arrays.copyOf(QuantTables.ZIGZAG, 10)));
        assertEquals(63, QuantTables.ZIGZAG[63]);
    }
}
