package dev.retrograd.autograd.nn;

import dev.retrograd.autograd.Parameter;
import java.io.IOException;

/// Where a model's weights come from, by the names that the ecosystem's files give them.
public interface Weights {

    /// Whether there is a weight of this name.
    boolean has(String name);

    /// The weight of this name.
    ///
    /// @param shape that the model's configuration asks for
    /// @throws IOException if it is missing, has another shape, or holds a value that is not finite; the message names file and tensor
    Parameter get(String name, int... shape) throws IOException;

    /// A convolution's kernel: `[out,in,height,width]` in the file, `[out,height,width,in]` here.
    ///
    /// @throws IOException as {@link #get}
    Parameter kernel(String name, int out, int in, int height, int width) throws IOException;

    /// A 1×1 convolution's kernel as the matrix of a linear layer: `[out,in,1,1]` or `[out,in]` in the file, `[out,in]` here.
    ///
    /// @throws IOException as {@link #get}
    Parameter pointwise(String name, int out, int in) throws IOException;

    /// The same weights seen from a submodule: `in("to_q").get("weight")` is `get("to_q.weight")`.
    default Weights in(String prefix) {
        Weights outer = this;
        return new Weights() {
            @Override public boolean has(String name) {
                return outer.has(prefix + "." + name);
            }

            @Override public Parameter get(String name, int... shape) throws IOException {
                return outer.get(prefix + "." + name, shape);
            }

            @Override public Parameter kernel(String name, int out, int in, int height, int width) throws IOException {
                return outer.kernel(prefix + "." + name, out, in, height, width);
            }

            @Override public Parameter pointwise(String name, int out, int in) throws IOException {
                return outer.pointwise(prefix + "." + name, out, in);
            }

            @Override public String path() {
                return outer.path().isEmpty() ? prefix : outer.path() + "." + prefix;
            }
        };
    }

    /// The module that these are the weights of, e.g. `mid_block.resnets.0`; empty for the whole model.
    default String path() {
        return "";
    }
}
