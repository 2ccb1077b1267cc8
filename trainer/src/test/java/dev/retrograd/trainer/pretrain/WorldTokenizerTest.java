package dev.retrograd.trainer.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.retrograd.core.RandomStream;
import dev.retrograd.unet.text.ClipTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorldTokenizerTest {
    @TempDir Path folder;

    private final WorldTokenizer vocabulary = new WorldTokenizer(Caption.vocabulary());
    private ClipTokenizer tokenizer;

    @BeforeEach void load() throws IOException {
        vocabulary.write(folder);
        tokenizer = ClipTokenizer.load(folder);
    }

    @Test void everyWordOfTheWorldIsOneToken() {
        for (String word : Caption.vocabulary()) {
            assertEquals(1, tokenizer.encode(word).length, word);
        }
    }

    @Test void specialIdsAndLengthComeFromTheFiles() {
        assertEquals(vocabulary.beginId(), tokenizer.startId());
        assertEquals(vocabulary.endId(), tokenizer.endId());
        assertEquals(vocabulary.endId(), tokenizer.options().padId());
        assertEquals(vocabulary.size(), tokenizer.vocabularySize());
        assertEquals(WorldTokenizer.MAX_LENGTH, tokenizer.tokenize("a red circle").ids().length);
    }

    @Test void everyCaptionFitsAndComesBack() {
        for (int i = 0; i < 500; i++) {
            RandomStream random = RandomStream.keyed(5, i);
            String caption = Caption.draw(random).of(World.draw(random, World.Part.TRAINING));
            int[] ids = tokenizer.encode(caption);
            assertTrue(ids.length + 2 <= WorldTokenizer.MAX_LENGTH, caption);
            assertEquals(caption.replace(",", " ,"), tokenizer.decode(ids));
        }
    }

    @Test void wordsBeyondTheWorldAreSpeltByTheirBytes() {
        String other = "naïve zebra 9!";
        assertEquals("naïve zebra 9 !", tokenizer.decode(tokenizer.encode(other)));
    }
}
