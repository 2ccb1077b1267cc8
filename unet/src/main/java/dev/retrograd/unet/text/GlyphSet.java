package dev.retrograd.unet.text;

import java.util.BitSet;
import java.util.function.IntPredicate;

/// A set of characters of the Basic Multilingual Plane, written as text: `of("À..ÑØ")` holds À to Ñ, and Ø.
final class GlyphSet implements IntPredicate {
    private static final String TO = "..";

    private final BitSet members;

    private GlyphSet(BitSet members) {
        this.members = members;
    }

    /// @param spec the members one after another; `a..z` is a range, a lone dot stands for itself
    static GlyphSet of(String spec) {
        BitSet members = new BitSet();
        int at = 0;
        while (at < spec.length()) {
            char first = spec.charAt(at);
            boolean range = spec.startsWith(TO, at + 1);
            char last = range ? spec.charAt(at + 3) : first;
            members.set(first, last + 1);
            at += range ? 4 : 1;
        }
        return new GlyphSet(members);
    }

    static GlyphSet union(GlyphSet... sets) {
        BitSet members = new BitSet();
        for (GlyphSet set : sets) {
            members.or(set.members);
        }
        return new GlyphSet(members);
    }

    /// This set and the characters of `spec`, written as in [#of].
    GlyphSet plus(String spec) {
        return union(this, of(spec));
    }

    @Override public boolean test(int codePoint) {
        return members.get(codePoint);
    }
}
