package dev.retrograd.trainer.fit;

import dev.retrograd.trainer.image.ImageFile;
import dev.retrograd.trainer.image.RgbImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// PNG and JPEG files of any sizes; neighbours of one size go together.
///
/// @param files in order
/// @param atOnce images in memory together
public record ImageFiles(List<Path> files, int atOnce) implements ImageSource {

    public ImageFiles {
        files = List.copyOf(files);
        if (atOnce < 1) {
            throw new IllegalArgumentException("images: at least one must be taken at once, got " + atOnce);
        }
    }

    @Override public int size() {
        return files.size();
    }

    @Override public void forEach(Receiver receiver) throws IOException {
        List<RgbImage> batch = new ArrayList<>();
        for (Path file : files) {
            RgbImage image = ImageFile.read(file);
            boolean same = batch.isEmpty() || batch.getFirst().width() == image.width() && batch.getFirst().height() == image.height();
            if (!same || batch.size() == atOnce) {
                hand(batch, receiver);
            }
            batch.add(image);
        }
        if (!batch.isEmpty()) {
            hand(batch, receiver);
        }
    }

    private static void hand(List<RgbImage> batch, Receiver receiver) throws IOException {
        receiver.accept(RgbImage.pixels(batch), Collections.nCopies(batch.size(), ""));
        batch.clear();
    }
}
