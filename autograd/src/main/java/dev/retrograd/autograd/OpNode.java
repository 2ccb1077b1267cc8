package dev.retrograd.autograd;

import dev.retrograd.core.Backend;
import dev.retrograd.core.Scope;
import dev.retrograd.core.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/// One recorded operator; what it saved stays alive until its backward has run.
final class OpNode<S extends Record> implements Frame.Node {
    /// The Tensor components of each saved-record class.
    private static final ClassValue<Method[]> TENSORS = new ClassValue<>() {
        @Override protected Method[] computeValue(Class<?> type) {
            RecordComponent[] components = type.getRecordComponents();
            for (RecordComponent c : components) {
                if (c.getType() == Tensor[].class || Collection.class.isAssignableFrom(c.getType())) {
                    throw new IllegalStateException("saved record " + type.getName() + ": its tensors must be components of type Tensor, got "
                            + c.getType().getSimpleName() + " " + c.getName() + ", which nothing would keep alive");
                }
            }
            return Arrays.stream(components).filter(c -> c.getType() == Tensor.class)
                    .map(RecordComponent::getAccessor).peek(m -> m.setAccessible(true)).toArray(Method[]::new);
        }
    };

    private final Backend backend;
    private final Op<S> op;
    private final Needs needs;
    private final Var[] in;
    private final S saved;
    private final Object slot;
    private final List<Tensor> kept;
    private boolean released;

    OpNode(Backend backend, Op<S> op, Needs needs, Var[] in, S saved, Var y) {
        this.backend = backend;
        this.op = op;
        this.needs = needs;
        this.in = in.clone();
        this.saved = saved;
        slot = y.slot;
        kept = saved == null ? List.of() : tensors(saved);
        Frame.retainAll(kept);
    }

    private static List<Tensor> tensors(Record saved) {
        List<Tensor> list = new ArrayList<>();
        for (Method component : TENSORS.get(saved.getClass())) {
            try {
                if (component.invoke(saved) instanceof Tensor t) {
                    list.add(t);
                }
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException("saved record " + saved.getClass().getName() + ": its component " + component.getName() + " cannot be read", e);
            }
        }
        return list;
    }

    @Override public String name() {
        return op.name();
    }

    @Override public void backward(Gradients gradients) {
        Tensor dy = gradients.take(slot);
        if (dy == null) {
            return;
        }
        try (Scope _ = backend.memory().open(name() + " backward")) {
            Tensor[] dx = op.backward(backend, saved, dy, needs);
            if (dx.length < in.length) {
                throw new IllegalStateException(name() + ": backward must give " + in.length + " gradients, got " + dx.length);
            }
            for (int i = 0; i < in.length; i++) {
                if (needs.of(i)) {
                    gradients.add(in[i].slot, checked(i, dx[i]));
                }
            }
        } finally {
            dy.storage().release(name() + " backward");
        }
    }

    private Tensor checked(int i, Tensor dx) {
        if (dx == null) {
            throw new IllegalStateException(name() + ": backward must give a gradient for input " + i + ", " + in[i] + ", got none");
        }
        if (!dx.shape().equals(in[i].shape())) {
            throw new IllegalStateException(name() + ": the gradient of input " + i + " must be " + in[i].shape() + ", got " + dx.shape());
        }
        return dx;
    }

    @Override public void release() {
        if (!released) {
            released = true;
            Frame.releaseAll(kept, name() + " backward");
        }
    }
}
