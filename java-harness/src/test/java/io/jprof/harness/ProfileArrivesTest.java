package io.jprof.harness;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.Test;

/** This JVM runs under the agent, as build.gradle tells it, and receives its own profile. */
public class ProfileArrivesTest {
    /** Many periods (of one second) long, for a machine that is busy with other things. */
    private static final long PATIENCE_SECONDS = 60;

    @Test
    public void aProfileOfThisVeryTestArrives() throws Exception {
        AtomicBoolean enough = new AtomicBoolean();
        Thread worker = new Thread(() -> workThatTheProfileShows(enough), "worker-of-this-test");
        worker.start();
        try (FakeDataKit dataKit = new FakeDataKit(Integer.getInteger("jprof.test.port"))) {
            FakeDataKit.Upload first = next(dataKit);
            FakeDataKit.Upload second = next(dataKit);

            assertEquals("POST", first.method);
            assertTrue(first.event(), first.event().contains("service:gradle-test"));
            assertTrue(first.event(), first.event().contains("language:java"));
            // The second profile begins where the first one ended, to the letter.
            assertEquals(value(first.event(), "end"), value(second.event(), "start"));

            byte[] recording = second.recording();
            assertArrayEquals(new byte[] {'F', 'L', 'R', 0}, Arrays.copyOf(recording, 4));
            String text = new String(recording, StandardCharsets.ISO_8859_1);
            for (String name : new String[] {
                "datadog.ExecutionSample", "workThatTheProfileShows", "ProfileArrivesTest", "worker-of-this-test"
            }) {
                assertTrue(name + " is not in the recording", text.contains(name));
            }
        } finally {
            enough.set(true);
            worker.join();
        }
    }

    private static FakeDataKit.Upload next(FakeDataKit dataKit) throws InterruptedException {
        FakeDataKit.Upload upload = dataKit.next(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertNotNull("no profile arrived within " + PATIENCE_SECONDS + " s", upload);
        return upload;
    }

    /** The text of a top-level key of the metadata. */
    private static String value(String json, String key) {
        String marker = "\"" + key + "\":";
        int at = json.indexOf(marker);
        assertTrue("no " + key + " in " + json, at >= 0);
        int from = json.indexOf('"', at + marker.length()) + 1;
        return json.substring(from, json.indexOf('"', from));
    }

    private static void workThatTheProfileShows(AtomicBoolean enough) {
        while (!enough.get()) {
            Work.piece();
        }
    }
}
