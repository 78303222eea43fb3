package io.jprof.harness;

import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;

/**
 * A Java agent that prints which classes of the harness it is shown. It needs {@code -javaagent} with a jar whose manifest
 * names this class as {@code Premain-Class}.
 */
public final class Observer {
    private Observer() {}

    public static void premain(String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new ClassFileTransformer() {
            @Override
            public byte[] transform(
                    ClassLoader loader, String name, Class<?> type, ProtectionDomain domain, byte[] bytes) {
                if (name != null && name.startsWith("io/jprof/harness/")) {
                    System.out.println("observed " + name);
                }
                return null;
            }
        });
    }
}
