package io.jprof.harness;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** Classes as they lie on the class path. */
final class ClassFiles {
    private ClassFiles() {}

    /** The class file of a class of the harness. */
    static byte[] of(Class<?> type) {
        return named(type.getName());
    }

    static byte[] named(String name) {
        try (InputStream in = ClassFiles.class.getResourceAsStream("/" + name.replace('.', '/') + ".class")) {
            if (in == null) {
                throw new IllegalStateException(name + " is not on the class path");
            }
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[4096];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                bytes.write(buffer, 0, n);
            }
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new IllegalStateException(name + " cannot be read", e);
        }
    }
}
