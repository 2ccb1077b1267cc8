package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import java.io.IOException;

/// Where a model's weights come from, by the names that the ecosystem's files give them.
public interface Weights {

    /// Whether there is a weight of this name.
    boolean has(String name);

    /// The weight of this name, re-laid for the kernels (see {@link Parameter#fileShape()}).
    ///
    /// @param fileShape shape that the model's configuration asks for, as files have it
    /// @throws IOException if it is missing, has another shape, or holds a value that is not finite; the message names file and tensor
    Parameter get(String name, int... fileShape) throws IOException;

    /// The same weights seen from a submodule: `in("to_q").get("weight")` is `get("to_q.weight")`.
    default Weights in(String prefix) {
        Weights outer = this;
        return new Weights() {
            @Override public boolean has(String name) {
                return outer.has(prefix + "." + name);
            }

            @Override public Parameter get(String name, int... fileShape) throws IOException {
                return outer.get(prefix + "." + name, fileShape);
            }

            @Override public String path(String name) {
                return outer.path(prefix + "." + name);
            }
        };
    }

    /// The full name of a submodule or weight.
    default String path(String name) {
        return name;
    }
}
