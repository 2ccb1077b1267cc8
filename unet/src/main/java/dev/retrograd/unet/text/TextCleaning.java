package dev.retrograd.unet.text;

/// How text is cleaned before it is split into words. The two differ in what they do with HTML and with special tokens in the prompt.
public enum TextCleaning {
    /// As `CLIPTokenizer` of transformers with ftfy installed, which is what Stable Diffusion uses: HTML references are resolved only
    /// where no `<` suggests real HTML, and special tokens written in the prompt are set aside before the text around them is repaired.
    TRANSFORMERS {
        @Override String clean(String text) {
            return TextRepair.repair(text);
        }
    },
    /// As openai/CLIP and open_clip: HTML references are always resolved, twice, with or without semicolon.
    OPENAI {
        @Override String clean(String text) {
            return HtmlEntities.unescape(HtmlEntities.unescape(TextRepair.repair(text)));
        }
    };

    /// Lower case and white space are left to the caller.
    abstract String clean(String text);
}
